"""Restoring: each task has all of a topic that it is the fold of, and no more, whoever else has the same topic."""

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet

import pytest
from structlog.testing import capture_logs

from tailrace import client
from tailrace.client import Topic, consumer, ensure_topics, producer
from tailrace.streams import Topology
from tailrace.streams import restore as module
from tailrace.streams.opening import why_unusable
from tailrace.streams.plan import Plan
from tailrace.streams.restore import restore
from tailrace.streams.state.memory_backend import MemoryBackend
from tailrace.streams.task import Task
from tests.tailrace.streams import sums
from tests.tailrace.streams.sums import Added, PackSerde


@pytest.mark.parametrize("order", [list, reversed])
def test_a_journal_that_is_also_a_table_is_folded_into_both(broker, unique, order):
    name = unique("both")
    topology = sums.topology(name, f"{name}-")
    added = f"{name}-added"
    topology.table(added, PackSerde(Added)).to_stream().to(f"{name}-copies", PackSerde(Added))
    subtopologies = Plan(topology).subtopologies
    tasks = [Task(sub, 0, MemoryBackend(), [], {}) for sub in subtopologies]
    deciding, copying = sorted(tasks, key=lambda task: added in task.consumed)
    ensure_topics(broker.bootstrap_servers, [Topic(each) for each in (added, f"{name}-refused")])
    sender = producer(broker.bootstrap_servers)
    for key in "abc":
        sender.produce(added, PackSerde(Added).encode(Added(key, 5, 5, 1)), key=key)
    sender.flush(60)
    # The table was processed as far as its first record.
    committed = {(f"{name}-additions", 0): 0, (added, 0): 1}
    uncommitted = consumer(broker.bootstrap_servers, name, isolation_level="read_uncommitted")
    positions = restore([*order(tasks)], committed, uncommitted, broker.bootstrap_servers, name, lambda: False)
    uncommitted.close()
    assert positions == {(added, 0): 1, (f"{name}-refused", 0): 0}
    assert deciding.folded[added] == 3
    assert [deciding.store("sums").get(key).total for key in (b"a", b"b", b"c")] == [5, 5, 5]
    assert copying.folded[added] == 1
    assert [copying.table(added).get(key) is not None for key in "abc"] == [True, False, False]


@pytest.fixture
def counting(engine, unique):
    """Makes a task that counts; its changelog has a committed record, and one of a transaction that is open."""
    name = unique("counting")
    topology = Topology(name)
    topology.stream(f"{name}-lines", str).group_by_key().count(store="counts").to(f"{name}-counts")
    (subtopology,) = Plan(topology).subtopologies
    changelog = f"{name}-counts-changelog"
    ensure_topics(engine.bootstrap_servers, [Topic(changelog)])
    writer = producer(engine.bootstrap_servers, transactional_id=name)
    writer.init_transactions()
    uncommitted = consumer(engine.bootstrap_servers, name, isolation_level="read_uncommitted")
    for number in (1, 2):
        writer.begin_transaction()
        writer.produce(changelog, b"\0" * 7 + b"%c" % number, key=b"key")
        assert writer.flush(60) == 0
        if number == 1:
            writer.commit_transaction()

    def new_task(offset=0):
        backend = MemoryBackend()
        backend.write([], {(changelog, 0): offset})
        return Task(subtopology, 0, backend, [], {})

    yield new_task, changelog, writer, uncommitted, engine.bootstrap_servers
    uncommitted.close()


@pytest.mark.parametrize("end", ["commit", "abort"])
def test_what_a_transaction_wrote_whose_marker_is_still_to_come_is_waited_for(counting, end):
    """Apache Kafka says that a transaction has ended, and tells its offsets, before it has written all markers."""
    new_task, changelog, writer, uncommitted, address = counting
    task = new_task()
    with ThreadPoolExecutor(1) as thread:
        restoring = thread.submit(restore, [task], {}, uncommitted, address, "test", lambda: False)
        with pytest.raises(NotYet):
            restoring.result(1.0)
        getattr(writer, f"{end}_transaction")()
        positions = restoring.result(30)
    assert task.store("counts").get(b"key") == (2 if end == "commit" else 1)
    assert positions.keys() == {(changelog, 0)}
    assert positions[changelog, 0] >= 3


def test_a_reader_that_stands_still_is_replaced(counting, monkeypatch):
    new_task, _, writer, uncommitted, address = counting
    writer.commit_transaction()
    readers = []

    def consume(reader, *arguments):
        if reader not in readers:
            readers.append(reader)
        return [] if len(readers) == 1 else client.consume(reader, *arguments)

    monkeypatch.setattr(module, "consume", consume)
    monkeypatch.setattr(module, "SILENCE_S", 3.0)
    task = new_task()
    restore([task], {}, uncommitted, address, "test", lambda: False)
    assert len(readers) > 1
    assert task.store("counts").get(b"key") == 2


def test_who_waits_for_a_transaction_says_where_it_is_open(counting, monkeypatch):
    new_task, changelog, writer, uncommitted, address = counting
    monkeypatch.setattr(module, "SILENCE_S", 0.3)
    said = []

    def stopped():
        said.extend(entry for entry in logs if "transactions_open_in" in entry)
        return bool(said)

    with capture_logs() as logs:
        restore([new_task()], {}, uncommitted, address, "test", stopped)
    assert said[0]["transactions_open_in"] == [f"{changelog}-0"]
    writer.abort_transaction()


def test_state_that_goes_to_a_transaction_whose_marker_is_still_to_come_is_kept(counting):
    new_task, _, writer, uncommitted, _ = counting
    assert why_unusable(uncommitted, new_task(3)) is None
    assert "it goes to offset 9, the topic to 3" in why_unusable(uncommitted, new_task(9))
    writer.abort_transaction()
