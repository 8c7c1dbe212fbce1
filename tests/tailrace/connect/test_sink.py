"""From topics into tables."""

from functools import partial
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from structlog.testing import capture_logs

from tailrace.client import consumer, producer, read_to_end, watermarks
from tailrace.registry.serde import AvroSerde
from tailrace.testing.postgres import PostgresServer
from tailrace.testing.registry import LocalRegistry
from tests.tailrace.connect.accounts import REQUESTS, AccountDatabase, eventually, run_until_killed, running


def sink_config(name: str, topic: str, database: AccountDatabase, **changes: str) -> dict[str, str]:
    config = {
        "name": name,
        "connector.class": "SqlSink",
        "topics": topic,
        "connection.url": database.url,
        "table.name.format": "accounts",
        "insert.mode": "upsert",
        "pk.mode": "record_value",
        "pk.fields": "account_id",
        "retry.backoff.ms": "200",
        "transforms": "drop",
        "transforms.drop.type": "ReplaceField$Value",
        "transforms.drop.exclude": "requested_at",
    }
    return config | changes


class Requests:
    """Produces account requests."""

    def __init__(self, broker: Any, registry: LocalRegistry, topic: str) -> None:
        self.topic = topic
        self._serde: AvroSerde[Any] = AvroSerde(registry, f"{topic}-value", REQUESTS, None)
        self._producer = producer(broker.bootstrap_servers)

    def send(self, number: int, **changes: Any) -> None:
        request = {"account_id": f"a{number}", "username": f"u{number}", "name": None, "requested_at": number}
        self.send_bytes(f"a{number}", self._serde.encode(request | changes))

    def send_bytes(self, key: str, value: bytes | None, headers: Any = None) -> None:
        self._producer.produce(self.topic, key=key, value=value, headers=headers)

    def flush(self) -> None:
        assert self._producer.flush(60) == 0


ROWS = "SELECT count(*), count(DISTINCT account_id) FROM accounts"


def is_count(database: AccountDatabase, count: int) -> bool:
    return database.rows(ROWS) == [(count, count)]


def lag(broker: Any, topic: str) -> int:
    """How far the sink's committed offsets are behind the end of its topic."""
    group = consumer(broker.bootstrap_servers, f"connect-{topic}")
    committed = group.committed([TopicPartition(topic, partition) for partition in range(2)], timeout=60)
    behind = sum(watermarks(group, topic, at.partition)[1] - max(at.offset, 0) for at in committed)
    group.close()
    return behind


def dead_letters(broker: Any, topic: str) -> list[Any]:
    return list(read_to_end(broker.bootstrap_servers, [topic]))


def test_requests_become_rows(broker: Any, registry: LocalRegistry, database: AccountDatabase, make_topic: Any) -> None:
    """Every request is a row, a later one with the same key changes it."""
    requests = Requests(broker, registry, make_topic("requests"))
    for number in range(100):
        requests.send(number)
    requests.send(7, name="Seven")
    requests.flush()
    with running(broker, registry, sink_config(requests.topic, requests.topic, database)):
        eventually(lambda: database.rows("SELECT name FROM accounts WHERE account_id = 'a7'") == [("Seven",)])
        eventually(lambda: database.rows(ROWS) == [(100, 100)])


def test_tasks_share_the_partitions(
    broker: Any, registry: LocalRegistry, sqlite: AccountDatabase, make_topic: Any
) -> None:
    """Also while they come and go: the second worker goes on where both were."""
    requests = Requests(broker, registry, make_topic("requests"))
    config = sink_config(requests.topic, requests.topic, sqlite, **{"tasks.max": "2"})
    for count in (50, 100):
        with running(broker, registry, config) as worker:
            for number in range(count - 50, count):
                requests.send(number)
            requests.flush()
            eventually(partial(is_count, sqlite, count))
            eventually(lambda: lag(broker, requests.topic) == 0)
            assert [task["state"] for task in worker.connector_status(requests.topic)["tasks"]] == ["RUNNING"] * 2


def test_a_crash_before_the_offsets_are_committed_leaves_no_duplicates(
    broker: Any, registry: LocalRegistry, database: AccountDatabase, make_topic: Any
) -> None:
    """What was written comes again, and changes nothing: not even the time of the last change."""
    requests = Requests(broker, registry, make_topic("requests", 1))
    json_config = sink_config(requests.topic, requests.topic, database, **{"value.converter": "JsonConverter"})
    for number in range(20):
        requests.send_bytes("", b'{"account_id": "a%d", "username": "u%d"}' % (number, number))
    requests.flush()
    run_until_killed("before-offsets", broker, json_config)
    everything = "SELECT * FROM accounts ORDER BY id"
    before = database.rows(everything)
    assert before
    requests.send_bytes("", b'{"account_id": "last", "username": "last"}')
    requests.flush()
    with running(broker, registry, json_config):
        eventually(lambda: database.rows(ROWS) == [(21, 21)])
    assert database.rows(everything)[: len(before)] == before


def test_what_cannot_be_used_becomes_a_dead_letter(
    broker: Any, registry: LocalRegistry, database: AccountDatabase, make_topic: Any
) -> None:
    """Bytes that are no Avro, and a user name that is taken: as they came, with the reason; the rest is written."""
    requests = Requests(broker, registry, make_topic("requests", 1))
    requests.send(1)
    requests.send_bytes("poison", b"no avro", [("trace", b"1")])
    requests.send(2, username="u1")
    requests.send_bytes("tombstone", None)
    requests.send(3)
    requests.flush()
    tolerance = {"errors.tolerance": "all", "errors.deadletterqueue.topic.name": f"{requests.topic}-dead"}
    with running(broker, registry, sink_config(requests.topic, requests.topic, database, **tolerance)):
        eventually(lambda: database.rows(ROWS) == [(2, 2)])
        letters = eventually(lambda: len(found := dead_letters(broker, f"{requests.topic}-dead")) == 3 and found)
    assert [(letter.key(), letter.headers()[-9:][5][1]) for letter in letters] == [
        (b"poison", b"VALUE_CONVERTER"),
        (b"tombstone", b"TASK_PUT"),
        (b"a2", b"TASK_PUT"),
    ]
    headers = dict(letters[0].headers())
    assert (letters[0].value(), headers["trace"]) == (b"no avro", b"1")
    assert headers["__connect.errors.topic"].decode() == requests.topic
    assert (headers["__connect.errors.partition"], headers["__connect.errors.offset"]) == (b"0", b"1")
    assert headers["__connect.errors.exception.message"].endswith(
        b"not Avro of a schema registry: starts with 6e6f206176"
    )
    assert letters[1].value() is None


def test_without_tolerance_a_bad_record_stops_the_task(
    broker: Any, registry: LocalRegistry, sqlite: AccountDatabase, make_topic: Any
) -> None:
    """The state says why, and what to do."""
    requests = Requests(broker, registry, make_topic("requests", 1))
    requests.send_bytes("poison", b"no avro")
    requests.flush()
    with running(broker, registry, sink_config("stops", requests.topic, sqlite)) as worker:
        (task,) = eventually(lambda: (tasks := worker.status()["stops"]["tasks"])[0]["state"] == "FAILED" and tasks)
    assert f"{requests.topic}[0]@0 cannot be used (VALUE_CONVERTER)" in task["trace"]
    assert "set errors.tolerance=all" in task["trace"]


@pytest.mark.postgres
def test_a_database_that_restarts_is_waited_for(broker: Any, registry: LocalRegistry, make_topic: Any) -> None:
    """It is told once, and everything is written in the end."""
    requests = Requests(broker, registry, make_topic("requests"))
    with PostgresServer() as server, capture_logs() as lines:
        database = AccountDatabase(server.url)
        config = sink_config("patient", requests.topic, database)
        requests.send(1)
        requests.flush()
        with running(broker, registry, config) as worker:
            eventually(lambda: database.rows(ROWS) == [(1, 1)])
            server.kill()
            for number in range(2, 50):
                requests.send(number)
            requests.flush()
            (task,) = eventually(lambda: (t := worker.status()["patient"]["tasks"])[0].get("trace") and t)
            assert task["state"] == "RUNNING"
            database.engine.dispose()
            server.start()
            eventually(lambda: database.rows(ROWS) == [(49, 49)])
            eventually(lambda: "trace" not in worker.status()["patient"]["tasks"][0])
        database.engine.dispose()
    told = [line["event"] for line in lines if line["log_level"] == "warning"]
    assert told == ["waiting", "goes on"]
