"""The command line tools that Apache Kafka ships, which use its Java clients."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Clients, Engine, wait_until
from .java_tools import Done, JavaTools

pytestmark = pytest.mark.kafka
SERVER_LAST = {"kafka-cluster"}
OFFSETS = ("PARTITION", "NEW-OFFSET")


class Shell:
    """Runs tools against one broker."""

    def __init__(self, tools: JavaTools, engine: Engine) -> None:
        self._tools = tools
        self.server = ("--bootstrap-server", engine.bootstrap_servers)

    def fails(self, tool: str, *arguments: str) -> str:
        """Run a tool that has to fail; gives what it says."""
        done = self._tools.run(tool, *self.server, *arguments)
        assert done.status != 0, done.out
        return done.out + done.err

    def __call__(self, tool: str, *arguments: str, stdin: str = "") -> Done:
        ordered = (*arguments, *self.server) if tool in SERVER_LAST else (*self.server, *arguments)
        done = self._tools.run(tool, *ordered, stdin=stdin)
        assert done.status == 0, f"{tool} {' '.join(arguments)}\n{done.out}{done.err}"
        return done


@pytest.fixture
def shell(java_tools: JavaTools, engine: Engine) -> Shell:
    return Shell(java_tools, engine)


@pytest.fixture
def topic(clients: Clients) -> str:
    """A topic of two partitions with the keys a, b and c: one record in the first partition, two in the other."""
    name = clients.topic(partitions=2)
    producer = clients.producer()
    for partition, key in ((0, b"a"), (1, b"b"), (1, b"c")):
        producer.produce(name, b"value of " + key, key, partition)
    producer.flush()
    return name


@pytest.fixture
def group(clients: Clients, topic: str) -> Iterator[str]:
    """A group without members that has read everything."""
    name = clients.unique("group")
    consumer = clients.consumer(topic, group=name)
    for _ in range(3):
        consumer.poll(10)
    consumer.commit(asynchronous=False)
    consumer.close()
    return name  # type: ignore[return-value]


# -- topics ------------------------------------------------------------------------------------------------------------


def test_topics_are_created_described_altered_and_deleted(shell: Shell, clients: Clients) -> None:
    topic = clients.unique("topic")
    shell("kafka-topics", "--create", "--topic", topic, "--partitions", "2", "--config", "retention.ms=123456")
    wait_until(lambda: [topic] in shell("kafka-topics", "--list").rows(), "the topic is listed")
    described = shell("kafka-topics", "--describe", "--topic", topic).out
    assert "PartitionCount: 2" in described
    assert "retention.ms=123456" in described
    assert len(re.findall(r"Leader: 1\s+Replicas: 1\s+Isr: 1", described)) == 2
    shell("kafka-topics", "--alter", "--topic", topic, "--partitions", "3")
    describe = ("--describe", "--topic", topic)
    wait_until(lambda: "PartitionCount: 3" in shell("kafka-topics", *describe).out, "there are three partitions")
    assert "already exists" in shell.fails("kafka-topics", "--create", "--topic", topic)
    shell("kafka-topics", "--delete", "--topic", topic)
    wait_until(lambda: [topic] not in shell("kafka-topics", "--list").rows(), "the topic is gone")
    assert "does not exist" in shell.fails("kafka-topics", "--describe", "--topic", topic)


def test_topics_with_configs_of_their_own_are_found(shell: Shell, clients: Clients) -> None:
    topic = clients.topic(segment_ms="60000")
    found = shell("kafka-topics", "--describe", "--topics-with-overrides").out
    assert re.search(rf"Topic: {topic}\s.*segment.ms=60000", found)
    for condition in ("--under-replicated-partitions", "--unavailable-partitions", "--under-min-isr-partitions"):
        assert topic not in shell("kafka-topics", "--describe", condition).out


def test_configs_are_added_described_and_deleted(shell: Shell, topic: str) -> None:
    entity = ("--entity-type", "topics", "--entity-name", topic)
    shell("kafka-configs", "--alter", *entity, "--add-config", "segment.ms=60000,cleanup.policy=[compact,delete]")
    wait_until(lambda: "segment.ms" in shell("kafka-configs", "--describe", *entity).out, "segment.ms is set")
    described = shell("kafka-configs", "--describe", *entity).out
    assert re.search(r"\ssegment.ms=60000 sensitive=false synonyms=\{DYNAMIC_TOPIC_CONFIG:segment.ms=60000", described)
    assert " cleanup.policy=compact,delete " in described
    everything = shell("kafka-configs", "--describe", "--all", *entity).out
    assert " compression.type=producer " in everything
    shell("kafka-configs", "--alter", *entity, "--delete-config", "segment.ms,cleanup.policy")
    wait_until(lambda: "segment.ms" not in shell("kafka-configs", "--describe", *entity).out, "segment.ms is gone")
    assert "InvalidConfigurationException" in shell.fails("kafka-configs", "--alter", *entity, "--add-config", "x=1")
    broker = ("--entity-type", "brokers", "--entity-name", "1")
    assert " num.partitions=1 " in shell("kafka-configs", "--describe", "--all", *broker).out


def test_offsets_of_topics_are_found(shell: Shell, topic: str) -> None:
    def offsets(*options: str) -> list[list[str]]:
        return sorted(shell("kafka-get-offsets", "--topic", topic, *options).rows())

    assert offsets() == [[f"{topic}:0:1"], [f"{topic}:1:2"]]
    assert offsets("--time", "earliest") == [[f"{topic}:0:0"], [f"{topic}:1:0"]]
    assert offsets("--time", "max-timestamp")[0] == [f"{topic}:0:0"]
    assert offsets("--time", "1000") == [[f"{topic}:0:0"], [f"{topic}:1:0"]]


def test_records_are_deleted(shell: Shell, topic: str, tmp_path: Path) -> None:
    wanted = {"version": 1, "partitions": [{"topic": topic, "partition": 1, "offset": 1}]}
    (tmp_path / "offsets.json").write_text(json.dumps(wanted))
    done = shell("kafka-delete-records", "--offset-json-file", str(tmp_path / "offsets.json"))
    assert re.search(rf"{topic}-1\s+low_watermark: 1", done.out)
    assert f"{topic}:1:1" in shell("kafka-get-offsets", "--topic", topic, "--time", "earliest").out


# -- groups ------------------------------------------------------------------------------------------------------------


def test_groups_are_listed_and_described(shell: Shell, topic: str, group: str, clients: Clients) -> None:
    described = shell("kafka-consumer-groups", "--describe", "--group", group)
    columns = ("TOPIC", "PARTITION", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG", "CONSUMER-ID")
    assert described.columns(*columns) == [(topic, "0", "1", "1", "0", "-"), (topic, "1", "2", "2", "0", "-")]
    listed = shell("kafka-consumer-groups", "--list", "--state", "Empty")
    assert (group, "Empty") in listed.columns("GROUP", "STATE")
    assert group not in shell("kafka-consumer-groups", "--list", "--state", "Stable").out
    assert group in shell("kafka-groups", "--list").out

    consumer = clients.consumer(topic, group=group, client_id="reader")
    while not consumer.assignment():
        consumer.poll(0.05)
    [state] = shell("kafka-consumer-groups", "--describe", "--group", group, "--state").columns("STATE", "#MEMBERS")
    assert state == ("Stable", "1")
    members = shell("kafka-consumer-groups", "--describe", "--group", group, "--members", "--verbose").out
    assert re.search(rf"reader-\S+\s+\S+\s+reader\s+2\s.*{topic}:0,1", members)
    owned = shell("kafka-consumer-groups", "--describe", "--group", group).columns("PARTITION", "CLIENT-ID")
    assert owned == [("0", "reader"), ("1", "reader")]
    assert "not empty" in shell("kafka-consumer-groups", "--delete", "--group", group).out


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (["--to-earliest"], [("0", "0"), ("1", "0")]),
        (["--to-latest"], [("0", "1"), ("1", "2")]),
        (["--to-offset", "1"], [("0", "1"), ("1", "1")]),
        (["--to-offset", "99"], [("0", "1"), ("1", "2")]),
        (["--shift-by", "-1"], [("0", "0"), ("1", "1")]),
        (["--to-current"], [("0", "1"), ("1", "2")]),
        (["--to-datetime", "2020-01-01T00:00:00.000"], [("0", "0"), ("1", "0")]),
        (["--by-duration", "P1D"], [("0", "0"), ("1", "0")]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value[0], str) else "",
)
def test_offsets_of_a_group_are_reset(
    shell: Shell, topic: str, group: str, how: list[str], expected: list[tuple[str, str]]
) -> None:
    reset = ("--reset-offsets", "--group", group, "--topic", topic, *how)
    assert shell("kafka-consumer-groups", *reset, "--dry-run").columns(*OFFSETS) == expected
    before = shell("kafka-consumer-groups", "--describe", "--group", group).columns("PARTITION", "CURRENT-OFFSET")
    assert before == [("0", "1"), ("1", "2")], "a dry run changes nothing"
    assert shell("kafka-consumer-groups", *reset, "--execute").columns(*OFFSETS) == expected
    after = shell("kafka-consumer-groups", "--describe", "--group", group).columns("PARTITION", "CURRENT-OFFSET")
    assert after == expected


def test_offsets_are_exported_and_imported(shell: Shell, topic: str, group: str, tmp_path: Path) -> None:
    reset = ("--reset-offsets", "--group", group)
    exported = shell("kafka-consumer-groups", *reset, "--topic", topic, "--to-earliest", "--export", "--dry-run").out
    (tmp_path / "offsets.csv").write_text(exported)
    done = shell("kafka-consumer-groups", *reset, "--from-file", str(tmp_path / "offsets.csv"), "--execute")
    assert done.columns(*OFFSETS) == [("0", "0"), ("1", "0")]


def test_offsets_and_groups_are_deleted(shell: Shell, topic: str, group: str) -> None:
    shell("kafka-consumer-groups", "--delete-offsets", "--group", group, "--topic", f"{topic}:0")
    described = shell("kafka-consumer-groups", "--describe", "--group", group)
    assert described.columns("PARTITION", "CURRENT-OFFSET") == [("1", "2")]
    shell("kafka-consumer-groups", "--delete", "--group", group)
    assert group not in shell("kafka-consumer-groups", "--list").out
    assert re.search("does not exist|not found", shell("kafka-consumer-groups", "--describe", "--group", group).out)


# -- records -----------------------------------------------------------------------------------------------------------


def test_the_console_writes_and_reads(shell: Shell, clients: Clients) -> None:
    topic, group = clients.topic(), clients.unique("group")
    keys = ("--reader-property", "parse.key=true", "--reader-property", "key.separator=:")
    shell("kafka-console-producer", "--topic", topic, *keys, stdin="a:1\nb:2\n")
    shell("kafka-console-producer", "--topic", topic, *keys, "--compression-codec", "zstd", stdin="c:3\n")
    read = ("--topic", topic, "--group", group, "--from-beginning", "--timeout-ms", "10000")
    show = ("--formatter-property", "print.key=true", "--isolation-level", "read_committed")
    assert shell("kafka-console-consumer", *read, *show, "--max-messages", "2").rows() == [["a", "1"], ["b", "2"]]
    assert shell("kafka-console-consumer", *read, *show, "--max-messages", "1").rows() == [["c", "3"]]


def test_the_performance_tools_run(shell: Shell, clients: Clients) -> None:
    topic = clients.topic(partitions=2)
    load = ("--topic", topic, "--num-records", "2000", "--record-size", "100", "--throughput", "-1")
    assert shell("kafka-producer-perf-test", *load).out.startswith("2000 records sent")
    transactional = ("--transactional-id", clients.unique("txn"), "--transaction-duration-ms", "20")
    assert shell("kafka-producer-perf-test", *load, *transactional).out.startswith("2000 records sent")
    done = shell("kafka-consumer-perf-test", "--topic", topic, "--num-records", "4000", "--timeout", "10000")
    assert "WARNING" not in done.out


def test_the_verifiable_clients_run(shell: Shell, clients: Clients) -> None:
    topic = clients.topic()
    shell("kafka-verifiable-producer", "--topic", topic, "--max-messages", "20")
    read = ("--topic", topic, "--group-id", clients.unique("group"), "--reset-policy", "earliest")
    done = shell("kafka-verifiable-consumer", *read, "--max-messages", "20")
    events = [json.loads(line) for line in done.out.splitlines() if line.startswith("{")]
    assert sum(event["count"] for event in events if event["name"] == "records_consumed") == 20
    assert all(event["success"] for event in events if event["name"] == "offsets_committed")


# -- transactions ------------------------------------------------------------------------------------------------------


def test_transactions_are_listed_described_and_aborted(shell: Shell, clients: Clients) -> None:
    topic, transactional_id = clients.topic(), clients.unique("txn")
    producer = clients.transactional(transactional_id)
    producer.begin_transaction()
    producer.produce(topic, b"open")
    producer.flush()
    listed = shell("kafka-transactions", "list").columns("TransactionalId", "TransactionState")
    assert (transactional_id, "Ongoing") in listed
    described = shell("kafka-transactions", "describe", "--transactional-id", transactional_id)
    assert described.columns("TransactionState", "TopicPartitions") == [("Ongoing", f"{topic}-0")]
    partition = ("--topic", topic, "--partition", "0")
    active = shell("kafka-transactions", "describe-producers", *partition)
    assert active.columns("ProducerEpoch", "LastSequence", "CurrentTransactionStartOffset") == [("0", "0", "0")]
    assert topic not in shell("kafka-transactions", "find-hanging", "--broker-id", "1").out

    shell("kafka-transactions", "forceTerminateTransaction", "--transactionalId", transactional_id)
    assert clients.values(topic) == []
    [after] = shell("kafka-transactions", "describe", "--transactional-id", transactional_id).columns(
        "TransactionState"
    )
    assert after in (("CompleteAbort",), ("Empty",))


# -- cluster -----------------------------------------------------------------------------------------------------------


def test_the_cluster_is_described(shell: Shell, clients: Clients, topic: str) -> None:
    cluster_id = clients.admin.describe_cluster().result(60).cluster_id
    assert shell("kafka-cluster", "cluster-id").rows() == [["Cluster", "ID:", cluster_id]]
    assert "Produce(0): 0 to " in shell("kafka-broker-api-versions").out
    shell("kafka-features", "describe")
    described = shell("kafka-log-dirs", "--describe", "--topic-list", topic).out
    [directory] = json.loads(described.splitlines()[-1])["brokers"][0]["logDirs"]
    assert directory["error"] is None
    assert sorted(entry["partition"] for entry in directory["partitions"]) == [f"{topic}-0", f"{topic}-1"]
    assert all(entry["size"] > 0 for entry in directory["partitions"])


def test_no_leader_has_to_be_elected(shell: Shell, topic: str) -> None:
    election = ("--election-type", "preferred", "--topic", topic, "--partition", "0")
    assert "Valid replica already elected" in shell("kafka-leader-election", *election).out


def test_partitions_are_where_they_are_to_be(shell: Shell, topic: str, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"

    def reassign(replicas: list[int], *command: str) -> Done:
        partitions = [{"topic": topic, "partition": index, "replicas": replicas} for index in range(2)]
        plan.write_text(json.dumps({"version": 1, "partitions": partitions}))
        return shell("kafka-reassign-partitions", "--reassignment-json-file", str(plan), *command)

    assert "Successfully started partition reassignments" in reassign([1], "--execute").out
    assert reassign([1], "--verify").out.count("is completed") == 2
    assert "No partition reassignments found." in shell("kafka-reassign-partitions", "--list").out
