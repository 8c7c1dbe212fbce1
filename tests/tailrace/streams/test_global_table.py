"""Global tables on real brokers: every instance has all partitions, and reads only what is new after a restart."""

import time

import pytest

from tailrace.client import Topic, ensure_topics, producer
from tailrace.streams import Topology
from tailrace.streams.global_table import GlobalTables
from tailrace.streams.state.rocks_backend import RocksBackend
from tests.tailrace.streams.sums import Add, PackSerde

PARTITIONS = 3
KEYS = [f"key-{number}" for number in range(20)]


class Rates:
    """A topic and the global table of it, opened as often as is wanted."""

    def __init__(self, bootstrap_servers, topic, folder):
        self.bootstrap_servers, self.topic, self.folder = bootstrap_servers, topic, folder
        self.topology = Topology("reader")
        self.topology.global_table(topic, PackSerde(Add))
        ensure_topics(bootstrap_servers, [Topic(topic, PARTITIONS)])
        self.producer = producer(bootstrap_servers)

    def publish(self, amount, value=None):
        for key in KEYS:
            self.producer.produce(self.topic, value or PackSerde(Add).encode(Add(key, amount)), key=key)
        assert self.producer.flush(60) == 0

    def open(self):
        backend, partitions = RocksBackend(self.folder), {self.topic: PARTITIONS}
        tables = GlobalTables("reader", self.topology.global_tables, backend, self.bootstrap_servers, partitions)
        tables.catch_up(lambda: False)
        return tables

    def amounts(self, tables):
        return [entry and entry.value.amount for entry in map(tables.tables[self.topic].get, KEYS)]


@pytest.fixture
def rates(engine, unique, tmp_path):
    return Rates(engine.bootstrap_servers, unique("rates"), tmp_path / "state")


def test_all_partitions_are_there_once_it_has_caught_up(rates):
    rates.publish(1)
    rates.publish(2)
    tables = rates.open()
    assert rates.amounts(tables) == [2] * len(KEYS)
    tables.close()


def test_what_is_published_later_arrives(rates):
    tables = rates.open()
    assert rates.amounts(tables) == [None] * len(KEYS)
    rates.publish(3)
    deadline = time.monotonic() + 60
    while rates.amounts(tables) != [3] * len(KEYS):
        assert time.monotonic() < deadline
        tables.update(0.1)
    tables.close()


def test_a_restart_reads_only_what_is_new(rates):
    rates.publish(1)
    rates.open().close()
    rates.publish(4)
    backend = RocksBackend(rates.folder)
    assert sum(backend.offsets().values()) == len(KEYS)
    backend.close()
    tables = rates.open()
    assert rates.amounts(tables) == [4] * len(KEYS)
    tables.close()


def test_an_unreadable_record_leaves_the_old_value(rates):
    rates.publish(1)
    rates.publish(0, b"\xc1 unreadable")
    tables = rates.open()
    assert rates.amounts(tables) == [1] * len(KEYS)
    tables.close()
