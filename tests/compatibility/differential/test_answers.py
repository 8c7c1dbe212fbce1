"""Both brokers give the same answer to every request of the table, or the difference is a documented one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tailrace.testing.broker import BrokerProcess
from tailrace.testing.kafka import KafkaProcess

from .known_differences import KNOWN, Difference, known_difference
from .peer import differences, plain
from .rows import Row
from .table import TABLE
from .world import World

pytestmark = pytest.mark.kafka
GUIDE = Path(__file__).parents[3] / "docs" / "broker-compatibility.md"

Worlds = tuple[World, World]
asked: set[str] = set()
seen: set[Difference | None] = set()


@pytest.fixture(scope="module")
def worlds(unique: Callable[[str], str]) -> Iterator[Worlds]:
    """The embedded broker and Apache Kafka, with the same topics, groups and transactions and no others."""
    run = unique("run")
    with BrokerProcess() as broker, KafkaProcess() as kafka:
        both = World(broker, run), World(kafka, run)
        yield both
        for world in both:
            world.peer.close()


def common_versions(row: Row, worlds: Worlds) -> list[int]:
    ours, theirs = (world.peer.versions.get(row.api, range(0)) for world in worlds)
    first, last = row.versions
    return [version for version in ours if version in theirs and first <= version <= last]


def answers(row: Row, version: int, worlds: Worlds) -> list[object]:
    return [plain(world.peer.ask(row.api, version, row.request(world)), world.names) for world in worlds]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: re.sub(r"[^\x20-\x7e]", "?", row.name))
def test_both_answer_alike(worlds: Worlds, row: Row) -> None:
    versions = common_versions(row, worlds)
    assert versions, "no version is supported by both"
    asked.add(row.name)
    unexplained = {}
    for version in versions:
        for path, (ours, theirs) in differences(*answers(row, version, worlds)).items():
            known = known_difference(row.name, path)
            seen.add(known)
            if known is None:
                unexplained[f"version {version}, {path}"] = {"embedded": ours, "Apache Kafka": theirs}
    assert not unexplained


def test_known_differences_are_still_there() -> None:
    """Of the rows that this run has asked."""
    expected = [known for known in KNOWN if any(re.fullmatch(known.rows, row) for row in asked)]
    assert [known for known in expected if known not in seen] == [], "remove them, also from the guide"


def test_each_row_has_a_name_of_its_own() -> None:
    names = [row.name for row in TABLE]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("heading", sorted({difference.heading for difference in KNOWN}))
def test_each_known_difference_is_documented(heading: str) -> None:
    assert f"### {heading}\n" in GUIDE.read_text(encoding="utf-8")
