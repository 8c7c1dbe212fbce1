"""Errors that the user can mend, told from faults of ours."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from tailrace.client import BrokerUnreachable
from tailrace.connect.errors import ConfigError, SystemUnreachable
from tailrace.directory_lock import DirectoryInUse
from tailrace.listening import AddressUnavailable
from tailrace.registry.errors import IncompatibleSchema, RegistryUnreachable
from tailrace.streams import OffsetsLost, TopologyError


def as_trouble(error: Exception) -> str | None:
    """One line that says what to mend, or None for an error that is our own fault."""
    if isinstance(
        error,
        AddressUnavailable
        | BrokerUnreachable
        | RegistryUnreachable
        | SystemUnreachable
        | ConfigError
        | DirectoryInUse
        | IncompatibleSchema
        | OffsetsLost
        | TopologyError,
    ):
        return str(error)
    # Raised on purpose with a line for the user: a missing topic, a wrong option, a port in use.
    if type(error) in (LookupError, ValueError, OSError):
        return str(error)
    return None


@contextmanager
def exit_on_trouble() -> Iterator[None]:
    """Turn what the user can mend into one line and exit status 2; the rest stays an exception."""
    try:
        yield
    except Exception as error:
        trouble = as_trouble(error)
        if trouble is None:
            raise
        typer.echo(f"agio: {trouble}", err=True)
        raise typer.Exit(2) from error
