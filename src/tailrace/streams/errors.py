"""What can be wrong with a topology, or with a record of it."""


class TopologyError(Exception):
    """A topology that cannot run, and why."""


class ProcessingFailed(Exception):
    """A record that stopped the application: which one, and why; the cause is the exception behind it."""
