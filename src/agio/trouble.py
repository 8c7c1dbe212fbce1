"""Errors that the user can mend, told from faults of ours."""

from tailrace.client import BrokerUnreachable
from tailrace.connect.errors import ConfigError, SystemUnreachable
from tailrace.registry.errors import IncompatibleSchema, RegistryUnreachable
from tailrace.streams import TopologyError


def as_trouble(error: Exception) -> str | None:
    """One line that says what to mend, or None for an error that is our own fault."""
    if isinstance(
        error,
        BrokerUnreachable | RegistryUnreachable | SystemUnreachable | ConfigError | IncompatibleSchema | TopologyError,
    ):
        return str(error)
    # Raised on purpose with a line for the user: a missing topic, a wrong option, a port in use.
    if type(error) in (LookupError, ValueError, OSError):
        return str(error)
    return None
