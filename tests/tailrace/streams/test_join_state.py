"""Joins on real brokers: each record meets the value of its time, however instances come, go and lose their disk."""

import pytest

from tailrace.client import read_to_end
from tailrace.streams import Topology
from tests.tailrace.streams.application import Application

START_MS = 1_700_000_000_000


def joining(name, prefix):
    topology = Topology(name)
    names = topology.table(f"{prefix}names", str)
    counts = topology.stream(f"{prefix}hits", str).group_by_key().count(store="hits")
    counts.join(names, lambda count, name: f"{name}:{count}").to(f"{prefix}named", str)
    topology.stream(f"{prefix}orders", str).left_join(names, lambda order, name: f"{order}:{name}").to(
        f"{prefix}joined", str
    )
    return topology


class Joining(Application):
    """Orders that are joined with the names of their time, which change; hits that are counted and named."""

    def __init__(self, bootstrap_servers, name, folder):
        super().__init__(bootstrap_servers, name, folder, joining)

    def send_records(self, records):
        for topic, key, value, time in records:
            self.producer.produce(f"{self.prefix}{topic}", value.encode(), key=key, timestamp=START_MS + time)
        assert self.producer.flush(60) == 0

    def values(self, topic):
        values = {}
        for record in read_to_end(self.bootstrap_servers, [f"{self.prefix}{topic}"]):
            values.setdefault(record.key().decode(), []).append(record.value().decode())
        return values


@pytest.fixture
def application(engine, unique, tmp_path):
    return Joining(engine.bootstrap_servers, unique("joining"), tmp_path)


KEYS = [f"k{number}" for number in range(12)]


def changes(start, count):
    """Every 10 ms a name of each key, and 5 ms after it an order."""
    steps = range(start, start + count)
    names = [("names", key, f"n{step}", 10 * step) for step in steps for key in KEYS]
    orders = [("orders", key, f"o{step}", 10 * step + 5) for step in steps for key in KEYS]
    return orders, names


def test_each_order_meets_the_name_of_its_time(application):
    """Although all orders were written before any name, and the state is lost in between."""
    for orders, names in (changes(0, 60), changes(60, 60)):
        application.send_records(orders)
        application.send_records(names)
    with application.start("1"):
        application.wait_for_records(f"{application.prefix}joined", 120 * len(KEYS))
    for orders, names in (changes(120, 60),):
        application.send_records(orders)
        application.send_records(names)
    with application.start("2"), application.start("3"):
        application.wait_for_records(f"{application.prefix}joined", 180 * len(KEYS))
    assert application.values("joined") == {key: [f"o{step}:n{step}" for step in range(180)] for key in KEYS}


def test_an_order_after_a_restart_meets_the_name_of_its_time_and_not_the_latest(application):
    application.send_records([("names", key, "old", 0) for key in KEYS])
    application.send_records([("hits", key, "", 1) for key in KEYS for _ in range(3)])
    with application.start("1"):
        application.wait_for_records(f"{application.prefix}named", 3 * len(KEYS))
    application.send_records([("names", key, "new", 5) for key in KEYS])
    application.send_records([("hits", key, "", 3) for key in KEYS])
    application.send_records([("orders", key, "o", 2) for key in KEYS])
    with application.start("1", folder="a new disk"):
        application.wait_for_records(f"{application.prefix}joined", len(KEYS))
        application.wait_for_records(f"{application.prefix}named", 5 * len(KEYS))
    assert application.values("joined") == {key: ["o:old"] for key in KEYS}
    assert application.values("named") == {key: ["old:1", "old:2", "old:3", "old:4", "new:4"] for key in KEYS}
