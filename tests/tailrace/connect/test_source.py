"""From tables into topics."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from structlog.testing import capture_logs

from tailrace.client import Topic, consumer, ensure_topics, producer, read_to_end
from tailrace.connect.timestamps import to_datetime, to_millis
from tailrace.registry.serde import AvroSerde
from tailrace.testing.broker import BrokerProcess
from tailrace.testing.postgres import PostgresServer
from tailrace.testing.registry import LocalRegistry
from tests.tailrace.connect.accounts import AccountDatabase, eventually, run_until_killed, running

CONTRACT = """{"type": "record", "name": "Account", "fields": [
    {"name": "account_id", "type": "string"},
    {"name": "username", "type": ["null", "string"], "default": null},
    {"name": "status", "type": "string"},
    {"name": "updated_at", "type": {"type": "long", "logicalType": "timestamp-millis"}}]}"""


def source_config(name: str, database: AccountDatabase, **changes: str) -> dict[str, str]:
    config = {
        "name": name,
        "connector.class": "SqlSource",
        "connection.url": database.url,
        "table.include.list": "accounts",
        "mode": "timestamp+incrementing",
        "timestamp.column.name": "updated_at",
        "incrementing.column.name": "id",
        "timestamp.delay.interval.ms": "20",
        "poll.interval.ms": "20",
        "retry.backoff.ms": "200",
        "topic.prefix": f"{name}-",
        "topic.creation.default.partitions": "3",
        "transforms": "key,id",
        "transforms.key.type": "ValueToKey",
        "transforms.key.fields": "account_id",
        "transforms.id.type": "ExtractField$Key",
        "transforms.id.field": "account_id",
    }
    return config | changes


def insert(database: AccountDatabase, *numbers: int) -> None:
    for number in numbers:
        database.execute("INSERT INTO accounts (account_id, username) VALUES (:a, :u)", a=f"a{number}", u=f"u{number}")


def published(broker: Any, registry: LocalRegistry, topic: str) -> list[dict[str, Any]]:
    """Committed records so far."""
    try:
        messages = list(read_to_end(broker.bootstrap_servers, [topic]))
    except LookupError:
        return []
    serde: AvroSerde[Any] = AvroSerde(registry, f"{topic}-value", registry.latest(f"{topic}-value").schema, None)
    return [serde.decode(m.value() or b"") | {"key": (m.key() or b"").decode()} for m in messages]


def keys_of(broker: Any, topic: str) -> list[str]:
    """Keys of the committed records so far."""
    try:
        return [(m.key() or b"").decode() for m in read_to_end(broker.bootstrap_servers, [topic])]
    except LookupError:
        return []


def written(broker: Any, topic: str) -> int:
    """How many offsets the topic's partitions have used, committed or not."""
    reader = consumer(broker.bootstrap_servers, "none", isolation_level="read_uncommitted")
    partitions = reader.list_topics(topic).topics[topic].partitions
    total = sum(reader.get_watermark_offsets(TopicPartition(topic, partition))[1] for partition in partitions)
    reader.close()
    return total


def murmur2(data: bytes) -> int:
    """Kafka's hash of keys, written down from its description."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = (0x9747B28C ^ len(data)) & mask
    whole = len(data) - len(data) % 4
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * m & mask
        h = (h * m & mask) ^ ((k ^ k >> 24) * m & mask)
    if rest := data[whole:]:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def test_rows_become_records_under_the_contract(
    broker: Any, registry: LocalRegistry, database: AccountDatabase, unique: Callable[[str], str]
) -> None:
    """New and changed rows arrive once, keyed, with the fields that the registered contract names."""
    name = unique("source")
    topic = f"{name}-accounts"
    registry.register(f"{topic}-value", CONTRACT)
    insert(database, 1, 2, 3)
    with running(broker, registry, source_config(name, database)):
        eventually(lambda: len(published(broker, registry, topic)) == 3)
        database.execute("UPDATE accounts SET status = 'closed' WHERE account_id = 'a2'")
        records = eventually(lambda: (r := published(broker, registry, topic)) and len(r) == 4 and r)
    changed = [record for record in records if record["status"] == "closed"]
    assert [record["key"] for record in changed] == ["a2"]
    assert all(set(r) == {"account_id", "username", "status", "updated_at", "key"} for r in records)


def test_offsets_are_stored_in_kafka_connects_format(
    broker: Any, registry: LocalRegistry, database: AccountDatabase, unique: Callable[[str], str]
) -> None:
    name, offsets = unique("source"), unique("offsets")
    insert(database, 1, 2)
    with running(broker, registry, source_config(name, database), offsets=offsets):
        (stored,) = eventually(lambda: list(read_to_end(broker.bootstrap_servers, [offsets])))
    (at,) = database.rows("SELECT updated_at FROM accounts WHERE id = 2")[0]
    millis = to_millis(to_datetime(at))
    assert json.loads(stored.key()) == [name, {"protocol": "1", "table": "accounts"}]
    offset = json.loads(stored.value())
    assert (offset["incrementing"], offset["timestamp"], offset["timestamp_nanos"] // 10**6) == (
        2,
        millis,
        millis % 1000,
    )


def test_without_a_contract_one_is_derived_from_the_table(
    broker: Any, registry: LocalRegistry, database: AccountDatabase, unique: Callable[[str], str]
) -> None:
    name = unique("source")
    insert(database, 1)
    rename = {
        "transforms": "rename",
        "transforms.rename.type": "ReplaceField$Value",
        "transforms.rename.include": "account_id,updated_at",
        "transforms.rename.renames": "account_id:id",
    }
    config = {k: v for k, v in source_config(name, database).items() if not k.startswith("transforms")} | rename
    with running(broker, registry, config):
        (record,) = eventually(lambda: published(broker, registry, f"{name}-accounts"))
    assert (set(record), record["id"], record["key"]) == ({"id", "updated_at", "key"}, "a1", "")
    schema = json.loads(registry.latest(f"{name}-accounts-value").schema)
    assert [field["name"] for field in schema["fields"]] == ["id", "updated_at"]


@pytest.mark.parametrize("point", ["before-commit", "after-commit"])
def test_a_crash_around_the_commit_neither_loses_nor_repeats(
    engine: Any, registry: LocalRegistry, sqlite: AccountDatabase, unique: Callable[[str], str], point: str
) -> None:
    """What readers of committed records see is every row, once."""
    name = unique("source")
    config = source_config(name, sqlite, **{"value.converter": "JsonConverter", "batch.max.rows": "4"})
    insert(sqlite, *range(10))
    run_until_killed(point, engine, config)
    assert written(engine, f"{name}-accounts") >= 4
    assert len(keys_of(engine, f"{name}-accounts")) == (0 if point == "before-commit" else 4)
    insert(sqlite, 10)
    with running(engine, registry, config):
        keys = eventually(lambda: len(found := keys_of(engine, f"{name}-accounts")) >= 11 and found)
    assert sorted(keys) == sorted(f"a{number}" for number in range(11))


def test_a_missing_topic_is_said(
    broker: Any, registry: LocalRegistry, sqlite: AccountDatabase, unique: Callable[[str], str]
) -> None:
    name = unique("source")
    insert(sqlite, 1)
    config = source_config(name, sqlite)
    del config["topic.creation.default.partitions"]
    with running(broker, registry, config) as worker:
        (task,) = eventually(lambda: (t := worker.status()[name]["tasks"])[0]["state"] == "FAILED" and t)
    assert f"topic {name}-accounts does not exist; create it, or set topic.creation.default.partitions" in task["trace"]


def test_the_same_key_meets_in_the_partition_that_java_would_choose(
    broker: Any, registry: LocalRegistry, sqlite: AccountDatabase, unique: Callable[[str], str]
) -> None:
    """Known values of murmur2, masked and by three partitions."""
    name = unique("source")
    insert(sqlite, 21, 7)
    with running(broker, registry, source_config(name, sqlite)):
        eventually(lambda: len(published(broker, registry, f"{name}-accounts")) == 2)
    found = {m.key(): m.partition() for m in read_to_end(broker.bootstrap_servers, [f"{name}-accounts"])}
    assert found == {key: (murmur2(key) & 0x7FFFFFFF) % 3 for key in (b"a21", b"a7")}


@pytest.mark.postgres
def test_a_database_that_restarts_is_waited_for(
    broker: Any, registry: LocalRegistry, unique: Callable[[str], str]
) -> None:
    """Nothing is lost or repeated, and it is told once."""
    name = unique("source")
    topic = f"{name}-accounts"
    with PostgresServer() as server, capture_logs() as lines:
        database = AccountDatabase(server.url)
        insert(database, 1)
        with running(broker, registry, source_config(name, database)) as worker:
            eventually(lambda: len(published(broker, registry, topic)) == 1)
            server.kill()
            (task,) = eventually(lambda: (t := worker.status()[name]["tasks"])[0].get("trace") and t)
            assert task["state"] == "RUNNING"
            database.engine.dispose()
            server.start()
            insert(database, 2, 3)
            eventually(lambda: len(published(broker, registry, topic)) == 3)
        database.engine.dispose()
    assert [line["event"] for line in lines if line["log_level"] == "warning"] == ["waiting", "goes on"]


def test_a_broker_that_is_killed_is_waited_for(
    registry: LocalRegistry, sqlite: AccountDatabase, unique: Callable[[str], str]
) -> None:
    """Both ways at once, while the broker is killed: every request becomes one row and one record."""
    name = unique("both")
    with BrokerProcess() as broker:
        ensure_topics(broker.bootstrap_servers, [Topic("requests", 2)])
        sink = {
            "name": f"{name}-sink",
            "connector.class": "SqlSink",
            "topics": "requests",
            "connection.url": sqlite.url,
            "table.name.format": "accounts",
            "insert.mode": "upsert",
            "pk.mode": "record_value",
            "pk.fields": "account_id",
            "value.converter": "JsonConverter",
        }
        source = source_config(name, sqlite, **{"value.converter": "JsonConverter"})
        with running(broker, registry, sink, source):
            requests = producer(broker.bootstrap_servers)
            for number in range(300):
                requests.produce("requests", json.dumps({"account_id": f"a{number}"}), f"a{number}")
                requests.poll(0.001)
                if number == 150:
                    broker.kill()
                    broker.start()
            assert requests.flush(60) == 0
            keys = eventually(lambda: len(found := keys_of(broker, f"{name}-accounts")) >= 300 and found, 40)
    assert sorted(keys) == sorted(f"a{number}" for number in range(300))
    assert sqlite.rows("SELECT count(*), count(DISTINCT account_id) FROM accounts") == [(300, 300)]
