"""The users in the data directory of a broker that is not running."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tailrace.broker.broker import Broker, State
from tailrace.broker.checkpoint import CorruptCheckpoint
from tailrace.broker.config import BrokerConfig, Flush
from tailrace.broker.disk import Disk
from tailrace.broker.events import AnyEvent
from tailrace.broker.log.journal import JournalDamaged
from tailrace.broker.log.segment import CorruptSegment
from tailrace.broker.recovery import JournalGap, recover
from tailrace.directory_lock import DirectoryInUse

CHECKPOINT_WITHIN_S = 10.0
EXIT_DISK_FAILED = 3
CANNOT = (DirectoryInUse, CorruptCheckpoint, CorruptSegment, JournalDamaged, JournalGap)


def stored_state(data: Path) -> State:
    """What the broker knows. Raises one of `CANNOT`."""
    disk = Disk(data)
    try:
        disk.lock()
        return recover(disk)
    finally:
        disk.unlock()


def record(data: Path, events: Sequence[AnyEvent]) -> None:
    """Make something happen in the broker's absence. Raises one of `CANNOT`."""
    disk = Disk(data)
    try:
        disk.lock()
        # Nobody says here how the broker flushed: as if its last writes could be lost, readers are told to look again.
        state = recover(disk, Flush.KAFKA)
        asyncio.run(_write(Broker(BrokerConfig(data=data), disk, state, _stop_at_once), events))
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
