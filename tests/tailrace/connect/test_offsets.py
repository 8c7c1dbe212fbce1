"""The offsets topic."""

from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest

from tailrace.client import TransactionalProducer
from tailrace.connect.offsets import StoredOffsets, create_offsets_topic, offset_key, offset_value, read_offsets

TABLE = {"protocol": "1", "table": "accounts"}


def write(producer: TransactionalProducer, topic: str, connector: str, offset: dict[str, int] | None) -> None:
    value = None if offset is None else offset_value(offset)
    producer.produce(topic, key=offset_key(connector, TABLE), value=value)


@pytest.fixture
def topic(broker: Any, unique: Callable[[str], str]) -> str:
    name = unique("offsets")
    for _ in range(2):
        create_offsets_topic(broker.bootstrap_servers, name)
    return name


def test_key_and_value_are_kafka_connects() -> None:
    assert offset_key("c", TABLE) == b'["c",{"protocol":"1","table":"accounts"}]'
    assert offset_value({"incrementing": 5}) == b'{"incrementing":5}'


def test_a_part_is_found_whatever_the_order_of_its_fields() -> None:
    stored = StoredOffsets("c", {b'["c",{"table":"t","protocol":"1"}]': b'{"a":1}', b'["d",{"table":"t"}]': b'{"a":2}'})
    assert stored.read({"protocol": "1", "table": "t"}) == {"a": 1}
    assert stored.read({"table": "t"}) is None


def test_the_last_offset_counts(broker: Any, topic: str, unique: Callable[[str], str]) -> None:
    """One that was taken away does not, nor one of a transaction that was rolled back."""
    producer = TransactionalProducer(broker.bootstrap_servers, unique("id"))
    transactions: list[tuple[Callable[[], None], dict[str, dict[str, int] | None]]] = [
        (producer.commit, {"kept": {"n": 1}, "gone": {"n": 1}}),
        (producer.commit, {"kept": {"n": 2}, "gone": None}),
        (producer.abort, {"kept": {"n": 3}, "gone": {"n": 3}}),
    ]
    for ends, offsets in transactions:
        producer.begin()
        for connector, offset in offsets.items():
            write(producer, topic, connector, offset)
        ends()
    assert read_offsets(broker.bootstrap_servers, topic, "kept").read(TABLE) == {"n": 2}
    assert read_offsets(broker.bootstrap_servers, topic, "gone").read(TABLE) is None
    producer.close()


def test_an_empty_topic_has_no_offsets(broker: Any, topic: str) -> None:
    assert read_offsets(broker.bootstrap_servers, topic, "c").read(TABLE) is None


def test_another_connectors_open_transaction_is_waited_for(
    broker: Any, topic: str, unique: Callable[[str], str]
) -> None:
    """It hides what was committed after its first record, also our own last offset."""
    ours, other = (TransactionalProducer(broker.bootstrap_servers, unique("id")) for _ in range(2))
    other.begin()
    write(other, topic, "other", {"n": 1})
    other._producer.flush()
    ours.begin()
    write(ours, topic, "ours", {"n": 7})
    ours.commit()
    found: list[Any] = []
    reading = Thread(
        target=lambda: found.append(read_offsets(broker.bootstrap_servers, topic, "ours").read(TABLE)), daemon=True
    )
    reading.start()
    reading.join(0.5)
    other.commit()
    reading.join(60)
    assert found == [{"n": 7}]
    ours.close()
    other.close()
