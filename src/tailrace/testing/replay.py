"""Golden replay: run a topology over recorded topics, and compare what comes of it with what came of it before.

recording = record("127.0.0.1:9092", ["payments"])
save(recording, Path("payments.jsonl"))
...
check_golden(topology, load(Path("payments.jsonl")), Path("payments.golden.jsonl"))

Recordings and golden files are lines of JSON, one for each record, with keys and values in base64.
"""

from collections.abc import Iterable, Sequence
from heapq import merge
from itertools import zip_longest
from pathlib import Path
from typing import Any

import msgspec

from tailrace.client import Record, read_to_end
from tailrace.streams.topology import Topology
from tailrace.testing.topology_driver import TopologyDriver


class Recorded(msgspec.Struct, frozen=True, omit_defaults=True):
    """A record of a topic, or (`topic` is "store " and a name) an entry of a store, as bytes."""

    topic: str
    key: bytes | None
    value: bytes | None
    timestamp: int = 0
    headers: list[tuple[str, bytes | None]] | None = None


def record(bootstrap_servers: str, topics: Sequence[str]) -> list[Recorded]:
    """Read topics as they are now, in order of time as far as the order within each partition allows.

    Records of the same time are in the order of `topics`: name tables first. Raises as `tailrace.client.read_to_end`.
    """
    partitions: dict[tuple[int, int], list[Recorded]] = {}
    for each in read_to_end(bootstrap_servers, topics):
        partitions.setdefault((topics.index(each.topic()), each.partition()), []).append(_recorded(each))
    return list(merge(*(partitions[place] for place in sorted(partitions)), key=lambda recorded: recorded.timestamp))


def replay(topology: Topology, recording: Iterable[Recorded]) -> list[Recorded]:
    """Run a topology over a recording; give what it writes, topic by topic, and then what its stores hold."""
    driver = TopologyDriver(topology)
    read: set[str] = set()
    for each in recording:
        driver.pipe(each.topic, each.key, each.value, timestamp=each.timestamp, headers=each.headers)
        read.add(each.topic)
    outputs = [_recorded(message) for topic in sorted(driver.log.keys() - read) for message in driver.log[topic]]
    stores = driver.contents()
    return outputs + [Recorded(f"store {name}", *entry) for name in sorted(stores) for entry in stores[name].items()]


def save(records: Iterable[Recorded], path: Path) -> None:
    """Write records to a file."""
    path.write_bytes(msgspec.json.Encoder().encode_lines(records))


def load(path: Path) -> list[Recorded]:
    """Read records from a file. Raises msgspec.ValidationError for what are none."""
    return msgspec.json.Decoder(Recorded).decode_lines(path.read_bytes())


def check_golden(topology: Topology, recording: Iterable[Recorded], golden: Path, *, update: bool = False) -> None:
    """Raise AssertionError at the first difference between a replay and the golden file; `update` writes the file."""
    found = replay(topology, recording)
    if update:
        save(found, golden)
        return
    if not golden.exists():
        raise AssertionError(f"{golden} does not exist; call with update=True once, and look at what it writes")
    for number, (mine, other) in enumerate(zip_longest(found, load(golden)), 1):
        if mine != other:
            raise AssertionError(f"{golden}, line {number}:\n  expected {_shown(other)}\n  found    {_shown(mine)}")


def _shown(recorded: Recorded | None) -> str:
    return "nothing more" if recorded is None else repr(recorded)


def _recorded(message: Record | Any) -> Recorded:
    return Recorded(message.topic(), message.key(), message.value(), message.timestamp()[1], message.headers())
