"""From topics into tables."""

from typing import Any

from tests.tailrace.connect.accounts import REQUESTS, AccountDatabase, eventually, running

from tailrace.client import producer
from tailrace.registry.serde import AvroSerde
from tailrace.testing.registry import LocalRegistry


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
        assert self._producer.flush(10) == 0


def test_requests_become_rows(broker: Any, registry: LocalRegistry, database: AccountDatabase, make_topic: Any) -> None:
    """Every request is a row, a later one with the same key changes it."""
    requests = Requests(broker, registry, make_topic("requests"))
    for number in range(100):
        requests.send(number)
    requests.send(7, name="Seven")
    requests.flush()
    with running(broker, registry, sink_config(requests.topic, requests.topic, database)):
        eventually(lambda: database.rows("SELECT name FROM accounts WHERE account_id = 'a7'") == [("Seven",)])
        assert database.rows("SELECT count(*), count(DISTINCT account_id) FROM accounts") == [(100, 100)]
