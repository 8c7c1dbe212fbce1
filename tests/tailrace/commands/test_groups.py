"""`tailrace groups` on both engines, with a group that `tailrace consume` made."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer

from .conftest import Tailrace


@pytest.fixture
def group(tailrace: Tailrace, topic: str, unique: Callable[[str], str]) -> str:
    """A group that read five of eight records of partition 0."""
    name = unique("group")
    tailrace("produce", topic, "--partition", "0", given="".join(f"{n}\n" for n in range(8)))
    tailrace("consume", topic, "--group", name, "--from-beginning", "--max-messages", "5")
    return name


@pytest.fixture
def member(tailrace: Tailrace, topic: str, group: str) -> Iterator[Any]:
    """Somebody who is in the group."""
    settings = {"bootstrap.servers": tailrace.bootstrap_servers, "group.id": group, "client.id": "me"}
    consumer: Any = Consumer(settings | {"enable.auto.commit": False, "log_level": 0})
    consumer.subscribe([topic])
    while not consumer.assignment():
        consumer.poll(0.1)
    yield consumer
    consumer.close()


def test_a_group_is_listed_described_and_deleted(tailrace: Tailrace, topic: str, group: str) -> None:
    assert {"group": group, "state": "empty", "type": "classic"} in tailrace("groups", "list", "--json").json
    assert [group, "empty", "classic"] in tailrace("groups", "list").rows
    [described] = tailrace("groups", "describe", group, "--json").json
    [partition] = [p for p in described["partitions"] if p["partition"] == 0]
    assert (partition["committed"], partition["end"], partition["lag"], partition["member"]) == (5, 8, 3, None)
    assert [topic, "0", "5", "8", "3", "-", "-", "-"] in tailrace("groups", "describe", group).rows
    assert tailrace("groups", "delete", group).stdout == f"deleted {group}\n"
    assert tailrace.fails("groups", "describe", group).endswith(f"has no group {group}")


def test_members_are_shown_with_what_they_read(tailrace: Tailrace, group: str, member: Any) -> None:
    [described] = tailrace("groups", "describe", group, "--json").json
    assert described["state"] == "stable"
    [shown] = described["members"]
    assert shown["client"] == "me"
    assert len(shown["assignment"]) == 2
    assert {p["member"] for p in described["partitions"]} == {shown["member"]}


def test_a_group_with_members_is_left_alone(tailrace: Tailrace, group: str, member: Any) -> None:
    assert "has 1 members" in tailrace.fails(
        "groups", "reset-offsets", group, "--all-topics", "--to-latest", "--execute"
    )
    assert f"group {group}: " in tailrace.fails("groups", "delete", group)


def test_nothing_moves_without_execute(tailrace: Tailrace, topic: str, group: str) -> None:
    shown = tailrace("groups", "reset-offsets", group, "--topic", f"{topic}:0", "--to-earliest", "--json").json
    expected = [{"topic": topic, "partition": 0, "from": 5, "to": 0}]
    assert shown == {"group": group, "executed": False, "offsets": expected}
    [described] = tailrace("groups", "describe", group, "--json").json
    assert described["partitions"][0]["committed"] == 5


@pytest.mark.parametrize(
    ("target", "first"),
    [(["--to-earliest"], "0"), (["--shift-by", "-2"], "3"), (["--to-offset", "7"], "7"), (["--to-latest"], None)],
)
def test_the_group_goes_on_where_it_was_moved_to(
    tailrace: Tailrace, topic: str, group: str, target: list[str], first: str | None
) -> None:
    tailrace("groups", "reset-offsets", group, "--topic", f"{topic}:0", *target, "--execute")
    read = tailrace("consume", topic, "--group", group, "--until-end").stdout.splitlines()
    assert read[:1] == ([first] if first else [])


def test_a_moment_is_a_target(tailrace: Tailrace, topic: str, group: str) -> None:
    lines = "".join(f'{{"value":"{ts}","timestamp":{ts}}}\n' for ts in (1_000, 2_000, 3_000))
    tailrace("produce", topic, "--json", "--partition", "1", given=lines)
    moved = tailrace(
        "groups", "reset-offsets", group, "--topic", f"{topic}:1", "--to-timestamp", "1970-01-01T00:00:01.5Z", "--json"
    )
    assert moved.json["offsets"] == [{"topic": topic, "partition": 1, "from": None, "to": 1}]


def test_what_cannot_be_chosen_is_said(tailrace: Tailrace, topic: str, group: str) -> None:
    assert "no partition is chosen" in tailrace.fails("groups", "reset-offsets", group, "--to-latest")
    for partitions in ("0,7", "0,x", "0,", "-1"):
        said = tailrace.fails("groups", "reset-offsets", group, "--topic", f"{topic}:{partitions}", "--to-latest")
        assert "has the partitions 0 to 1" in said
    assert "0 targets are given" in tailrace.fails("groups", "reset-offsets", group, "--topic", topic)
