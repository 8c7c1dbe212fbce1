"""A broker inside the test: real files, a clock that stands still, and crashes without a process to kill."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tailrace.broker.append import Append
from tailrace.broker.broker import Broker
from tailrace.broker.config import BrokerConfig
from tailrace.broker.disk import Disk
from tailrace.broker.events import TopicCreated
from tailrace.broker.log.partition import PartitionLog
from tailrace.broker.recovery import recover
from tailrace.broker.topics import Topic
from tailrace.wire.record_batch import TRANSACTIONAL_BIT, Record, encode_batch, iter_headers

NOW_MS = 1_700_000_000_000


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now_ms = NOW_MS

    def __call__(self) -> int:
        return self.now_ms


def fail(error: BaseException) -> None:
    raise AssertionError("writing failed") from error


@asynccontextmanager
async def running(data: Path, **config: Any) -> AsyncIterator[Broker]:
    """A broker on a directory; at the end it is abandoned as a crash would, with nothing flushed or closed."""
    disk = Disk(data)
    disk.lock()
    clock = Clock()
    broker = Broker(BrokerConfig(data=data, **config), disk, recover(disk), fail, clock)
    broker.start()
    try:
        yield broker
    finally:
        broker.commit.abandon()
        disk.unlock()


def clock_of(broker: Broker) -> Clock:
    assert isinstance(broker.now_ms, Clock)
    return broker.now_ms


def create_topic(broker: Broker, name: str = "topic", partitions: int = 1, **configs: str) -> Topic:
    dotted = {key.replace("_", "."): value for key, value in configs.items()}
    broker.record(events=[TopicCreated(name, name.encode().ljust(16, b"\0"), partitions, dotted)])
    topic = broker.state.topics.by_name(name)
    assert topic is not None
    return topic


def batch(
    *values: bytes,
    producer: tuple[int, int] = (-1, -1),
    sequence: int = -1,
    transactional: bool = False,
    timestamp: int = NOW_MS,
) -> bytes:
    records = [Record(offset, timestamp, None, value) for offset, value in enumerate(values)]
    return encode_batch(
        records,
        attributes=TRANSACTIONAL_BIT if transactional else 0,
        producer_id=producer[0],
        producer_epoch=producer[1],
        base_sequence=sequence,
    )


def append(broker: Broker, topic: Topic, *values: bytes, partition: int = 0, **options: Any) -> int:
    return broker.record([Append(topic, partition, batch(*values, **options))])[0]


def everything(log: PartitionLog, limit: int | None = None) -> bytes:
    """All bytes that can be read."""
    data, offset = b"", log.log_start_offset
    limit = log.high_watermark if limit is None else limit
    while offset < limit:
        data += log.read(offset, limit, 1 << 30, at_least_one=True)
        offset = max(header.last_offset for _, header in iter_headers(data)) + 1
    return data


Scenario = Callable[[], Coroutine[Any, Any, None]]


@pytest.fixture
def run() -> Callable[[Scenario], None]:
    """Runs a scenario; at most 30 s."""

    def run_scenario(scenario: Scenario) -> None:
        asyncio.run(asyncio.wait_for(scenario(), 30))

    return run_scenario
