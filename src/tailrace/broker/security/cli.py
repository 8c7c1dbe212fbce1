"""The first users, before there is anybody who could log in and make more: in the data directory of a stopped broker.

While the broker runs, `kafka-configs --alter --entity-type users` does the same.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from tailrace.broker.config import BrokerConfig
from tailrace.broker.security.credentials import ITERATIONS_MAX, ITERATIONS_MIN, SCRAM_NUMBERS, credential

SALT_BYTES = 24
EXIT_CANNOT = 2

users = typer.Typer(help="Users of a broker that is not running; their passwords serve PLAIN and SCRAM.")
Data = Annotated[Path, typer.Option(help="Directory of the broker's data.")]


@users.command()
def add(
    name: Annotated[str, typer.Argument(help="The user's name.")],
    data: Data = BrokerConfig.data,
    iterations: Annotated[int, typer.Option(min=ITERATIONS_MIN, max=ITERATIONS_MAX)] = ITERATIONS_MIN,
) -> None:
    """Add a user, or change a password, which is read from the terminal or from standard input."""
    from tailrace.broker.events import CredentialSet
    from tailrace.broker.security.stored_users import record

    password = typer.prompt("Password", hide_input=True) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    if not password:
        _stop(f"no password for {name}; write one to standard input")
    credentials = [
        credential(name, mechanism, password, secrets.token_bytes(SALT_BYTES), iterations)
        for mechanism in SCRAM_NUMBERS
    ]
    with _told_failures():
        record(data, [CredentialSet(each) for each in credentials])


@users.command()
def remove(
    name: Annotated[str, typer.Argument(help="The user's name.")],
    data: Data = BrokerConfig.data,
) -> None:
    """Remove a user."""
    from tailrace.broker.events import CredentialDeleted
    from tailrace.broker.security.stored_users import record, stored_state

    with _told_failures():
        credentials = stored_state(data).users.of(name)
        if not credentials:
            _stop(f"{data} has no user {name}")
        record(data, [CredentialDeleted(each.user, each.mechanism) for each in credentials])


@users.command("list")
def list_users(data: Data = BrokerConfig.data) -> None:
    """List the users."""
    from tailrace.broker.security.stored_users import stored_state

    with _told_failures():
        for name in sorted({stored.user for stored in stored_state(data).users}):
            typer.echo(name)


@contextmanager
def _told_failures() -> Iterator[None]:
    from tailrace.broker.security.stored_users import CANNOT

    try:
        yield
    except CANNOT as error:
        _stop(str(error))


def _stop(reason: str) -> NoReturn:
    typer.echo(f"tailrace users: {reason}", err=True)
    raise typer.Exit(EXIT_CANNOT)
