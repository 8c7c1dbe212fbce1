"""What processors keep on real brokers: the same whoever has it, and when its disk is lost."""

from collections import defaultdict

import pytest

from tailrace.client import read_to_end
from tailrace.registry.serde import JsonSerde
from tailrace.streams import Stored, StoredSessions, StoredWindows, Topology, Windowed
from tailrace.testing.topology_driver import TopologyDriver
from tests.tailrace.streams.application import Application

START_MS = 1_700_000_000_000
JSON = JsonSerde()
RECENT = Stored("recent", int, ttl=100)
CLICKS = StoredWindows("clicks", int, size=10, retention=100)
VISITS = StoredSessions("visits", int, retention=100)


class Keeping:
    """Says of each key what each store has of it, and puts more into each."""

    def __init__(self, context):
        self._context = context
        self._recent, self._clicks, self._visits = map(context.store, (RECENT, CLICKS, VISITS))

    def process(self, key, value):
        time = self._context.timestamp
        clicks, visits = list(self._clicks.fetch(key)), list(self._visits.fetch(key))
        yield key, [self._recent.get(key), len(list(self._recent.all())), str(clicks), str(visits)]
        self._recent.put(key, value)
        self._clicks.put(key, value, time - time % 10)
        for session, _ in self._visits.find(key, time - 4, time + 5):
            self._visits.remove(session)
            time = session.start
        self._visits.put(Windowed(key, time, self._context.timestamp + 1), value)


def keeping(name, prefix):
    topology = Topology(name)
    topology.stream(f"{prefix}in", int).process(Keeping, stores=[RECENT, CLICKS, VISITS], value=JSON).to(f"{prefix}out")
    return topology


@pytest.fixture
def application(engine, unique, tmp_path):
    return Application(engine.bootstrap_servers, unique("keeping"), tmp_path, keeping)


def send(application, numbers):
    for number in numbers:
        # Keys come again after 35 ms to 490 ms.
        key = f"k{number % (7 if number // 100 % 2 else 98)}"
        time_ms = START_MS + 5 * number
        application.producer.produce(f"{application.prefix}in", number.to_bytes(8), key=key, timestamp=time_ms)
    assert application.producer.flush(60) == 0


def outputs(application, records):
    """The values of each partition, in order."""
    values = defaultdict(list)
    for record in records:
        values[record.partition()].append((record.key(), record.value()))
    return values


def expected(application):
    records = list(read_to_end(application.bootstrap_servers, [f"{application.prefix}in"]))
    values = {}
    for partition in {record.partition() for record in records}:
        driver = TopologyDriver(application.topology)
        for record in records:
            if record.partition() == partition:
                key, time_ms = record.key().decode(), record.timestamp()[1]
                driver.pipe(f"{application.prefix}in", key, record.value(), timestamp=time_ms)
        values[partition] = [(r.key(), r.value()) for r in driver.read_raw(f"{application.prefix}out")]
    return values


def test_stores_expire_alike_on_another_disk_and_in_another_instance(application):
    out = f"{application.prefix}out"
    send(application, range(200))
    with application.start("1"):
        application.wait_for_records(out, 200)
    send(application, range(200, 350))
    with application.start("2"):
        application.wait_for_records(out, 350)
        with application.start("1", has_folder=False):
            send(application, range(350, 500))
            application.wait_for_records(out, 500)
    send(application, range(500, 600))
    with application.start("1"):
        application.wait_for_records(out, 600)
    written = outputs(application, read_to_end(application.bootstrap_servers, [out]))
    assert written == expected(application)
    assert {JSON.decode(value)[0] is None for values in written.values() for _, value in values[98:]} == {True, False}
