"""`tailrace topics` on both engines."""

from collections.abc import Callable
from pathlib import Path

from .conftest import Tailrace


def test_a_topic_is_created_listed_and_deleted(tailrace: Tailrace, unique: Callable[[str], str]) -> None:
    name = unique("topic")
    assert tailrace("topics", "create", name, "--partitions", "3").stdout == f"created {name}\n"
    assert [name, "3", "1"] in tailrace("topics", "list").rows
    listed = tailrace("topics", "list", "--json").json
    assert {"name": name, "partitions": 3, "replication_factor": 1} in listed
    assert tailrace("topics", "delete", name).stdout == f"deleted {name}\n"
    assert name not in tailrace("topics", "list").stdout


def test_a_topic_that_is_there_is_an_error_unless_said(tailrace: Tailrace, topic: str) -> None:
    assert f"topic {topic}: " in tailrace.fails("topics", "create", topic)
    assert tailrace("topics", "create", topic, "--if-not-exists").stdout == f"{topic} is there already\n"


def test_what_could_be_deleted_is_said_beside_what_could_not(tailrace: Tailrace, topic: str) -> None:
    done = tailrace.run("topics", "delete", "no-such-topic", topic)
    assert done.exit_code == 1
    assert done.stdout == f"deleted {topic}\n"
    assert done.stderr.startswith("tailrace: topic no-such-topic: ")


def test_describe_shows_partitions_and_what_is_not_the_default(tailrace: Tailrace, topic: str) -> None:
    tailrace("topics", "configure", topic, "--config", "retention.ms=1000", "--config", "cleanup.policy=compact")
    tailrace("topics", "configure", topic, "--reset", "cleanup.policy")
    [described] = tailrace("topics", "describe", topic, "--json").json
    assert described["name"] == topic
    assert described["configs"] == {"retention.ms": "1000"}
    assert [p["partition"] for p in described["partitions"]] == [0, 1]
    assert described["partitions"][0]["leader"] in described["partitions"][0]["replicas"]
    assert "  retention.ms=1000" in tailrace("topics", "describe", topic).stdout


def test_unknown_topics_and_configurations_are_refused(tailrace: Tailrace, topic: str) -> None:
    assert "no-such-topic" in tailrace.fails("topics", "describe", "no-such-topic")
    assert "has no topic no-such-topic" in tailrace.fails("topics", "offsets", "no-such-topic")
    assert "nope" in tailrace.fails("topics", "configure", topic, "--config", "nope=1")
    assert "expected NAME=VALUE" in tailrace.fails("topics", "configure", topic, "--config", "retention.ms")
    assert "nothing to change" in tailrace.fails("topics", "configure", topic)


def test_partitions_are_added_never_taken_away(tailrace: Tailrace, topic: str) -> None:
    tailrace("topics", "add-partitions", topic, "--total", "5")
    [described] = tailrace("topics", "describe", topic, "--json").json
    assert len(described["partitions"]) == 5
    assert f"topic {topic}" in tailrace.fails("topics", "add-partitions", topic, "--total", "4")


def test_offsets_of_each_partition(tailrace: Tailrace, topic: str) -> None:
    lines = "".join(f'{{"value":"{ts}","timestamp":{ts}}}\n' for ts in (1_000_000, 2_000_000, 3_000_000))
    tailrace("produce", topic, "--json", "--partition", "1", given=lines)
    assert tailrace("topics", "offsets", topic, "--at", "1970-01-01T00:25:00Z", "--json").json == [
        {"partition": 0, "start": 0, "end": 0, "stable": 0, "newest_timestamp": None, "at": None},
        {"partition": 1, "start": 0, "end": 3, "stable": 3, "newest_timestamp": 3_000_000, "at": 1},
    ]
    table = tailrace("topics", "offsets", topic).rows
    assert table[1] == ["0", "0", "0", "0", "0", "-"]
    assert table[2] == ["1", "0", "3", "3", "3", "1970-01-01T00:50:00.000Z"]


def test_a_cluster_that_is_away_is_told_in_one_line(monkeypatch: object) -> None:
    from tailrace.commands import cluster

    monkeypatch.setattr(cluster, "ANSWER_WITHIN_S", 0.2)  # type: ignore[attr-defined]
    said = Tailrace("127.0.0.1:1").fails("topics", "list")
    assert said.startswith("tailrace: no Kafka broker answered at 127.0.0.1:1 within 0.2 s (")


def test_a_command_config_is_the_clients(tailrace: Tailrace, tmp_path: Path) -> None:
    config = tmp_path / "client.properties"
    config.write_text("client.id=me\n")
    tailrace("topics", "list", "--command-config", str(config))
    config.write_text("no.such.setting=me\n")
    said = tailrace.fails("topics", "list", "--command-config", str(config))
    assert said.startswith("tailrace: the client's settings are not valid: ")
    assert "no.such.setting" in said
    assert "cannot be read" in tailrace.fails("topics", "list", "--command-config", str(tmp_path / "nowhere"))
