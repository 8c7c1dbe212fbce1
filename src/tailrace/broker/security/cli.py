"""The first users, before there is anybody who could log in and make more: in the data directory of a stopped broker.

While the broker runs, `kafka-configs --alter --entity-type users` does the same.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from tailrace.broker.broker import Broker, State
from tailrace.broker.checkpoint import CorruptCheckpoint
from tailrace.broker.config import BrokerConfig
from tailrace.broker.disk import DataDirectoryInUse, Disk
from tailrace.broker.events import AnyEvent, CredentialDeleted, CredentialSet
from tailrace.broker.log.journal import JournalDamaged
from tailrace.broker.log.segment import CorruptSegment
from tailrace.broker.recovery import JournalGap, recover
from tailrace.broker.security.credentials import ITERATIONS_MAX, ITERATIONS_MIN, SCRAM_NUMBERS, credential

SALT_BYTES = 24
CHECKPOINT_WITHIN_S = 10.0
EXIT_CANNOT = 2
EXIT_DISK_FAILED = 3
CANNOT = (DataDirectoryInUse, CorruptCheckpoint, CorruptSegment, JournalDamaged, JournalGap)

users = typer.Typer(help="Users of a broker that is not running; their passwords serve PLAIN and SCRAM.")
Data = Annotated[Path, typer.Option(help="Directory of the broker's data.")]


@users.command()
def add(
    name: Annotated[str, typer.Argument(help="The user's name.")],
    data: Data = BrokerConfig.data,
    iterations: Annotated[int, typer.Option(min=ITERATIONS_MIN, max=ITERATIONS_MAX)] = ITERATIONS_MIN,
) -> None:
    """Add a user, or change a password, which is read from the terminal or from standard input."""
    password = typer.prompt("Password", hide_input=True) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    if not password:
        _stop(f"no password for {name}; write one to standard input")
    credentials = [
        credential(name, mechanism, password, secrets.token_bytes(SALT_BYTES), iterations)
        for mechanism in SCRAM_NUMBERS
    ]
    _record(data, [CredentialSet(each) for each in credentials])


@users.command()
def remove(
    name: Annotated[str, typer.Argument(help="The user's name.")],
    data: Data = BrokerConfig.data,
) -> None:
    """Remove a user."""
    credentials = _state(data).users.of(name)
    if not credentials:
        _stop(f"{data} has no user {name}")
    _record(data, [CredentialDeleted(each.user, each.mechanism) for each in credentials])


@users.command("list")
def list_users(data: Data = BrokerConfig.data) -> None:
    """List the users."""
    for name in sorted({stored.user for stored in _state(data).users}):
        typer.echo(name)


def _state(data: Path) -> State:
    disk = Disk(data)
    try:
        disk.lock()
        return recover(disk)
    except CANNOT as error:
        _stop(str(error))
    finally:
        disk.unlock()


def _record(data: Path, events: Sequence[AnyEvent]) -> None:
    disk = Disk(data)
    try:
        disk.lock()
        asyncio.run(_write(Broker(BrokerConfig(data=data), disk, recover(disk), _stop_at_once), events))
    except CANNOT as error:
        _stop(str(error))
    finally:
        disk.unlock()


async def _write(broker: Broker, events: Sequence[AnyEvent]) -> None:
    broker.commit.start()
    broker.record(events=events)
    await broker.commit.stop(CHECKPOINT_WITHIN_S)


def _stop_at_once(error: BaseException) -> None:
    sys.stderr.write(f"tailrace users: writing to disk failed: {error!r}; nobody knows whether the change is there\n")
    sys.stderr.flush()
    os._exit(EXIT_DISK_FAILED)


def _stop(reason: str) -> NoReturn:
    typer.echo(f"tailrace users: {reason}", err=True)
    raise typer.Exit(EXIT_CANNOT)
