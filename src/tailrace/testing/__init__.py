"""What tests of services import: servers to start, the topology driver, a manual clock."""
