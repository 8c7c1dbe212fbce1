"""What is counted is what is committed."""

import pytest
from confluent_kafka import Message

from tailrace.streams import Hopping, OnError, Topology, Tumbling
from tailrace.streams.metrics.counters import TaskCounters
from tailrace.streams.plan import Plan
from tailrace.streams.state.memory_backend import MemoryBackend
from tailrace.streams.task import Task
from tailrace.testing.topology_driver import TopologyDriver

MINUTE_MS = 60_000


def records(*values, time=1000):
    return [
        Message(topic="in", partition=0, offset=offset, key=b"a", value=value, timestamp=(1, time + offset))
        for offset, value in enumerate(values)
    ]


def test_a_commit_keeps_what_a_rollback_forgets():
    counters = TaskCounters()
    counters.processed("in", records(b"abc", b"", None), produced=2)
    assert not counters.committed.records
    counters.rollback()
    counters.processed("in", records(b"abc"), produced=1)
    counters.counts.late += 1
    counters.commit(3000)
    counters.processed("other", records(b"abcd"), produced=7)
    assert counters.committed.records == {"in": 1}
    assert counters.committed.value_bytes == {"in": 3}
    assert (counters.committed.produced, counters.committed.late) == (1, 1)
    counters.rollback()
    counters.commit(9000)
    assert (counters.committed.produced, counters.committed.late) == (1, 1)


def test_latency_is_that_of_the_first_record_of_each_run_that_is_committed():
    counters = TaskCounters()
    counters.processed("in", records(b"a", b"b", time=1000), produced=0)
    counters.rollback()
    counters.processed("in", records(b"a", b"b", time=1000), produced=0)
    counters.processed("in", records(b"c", time=2500), produced=0)
    counters.processed("in", records(b"from the future", time=5000), produced=0)
    counters.commit(3000)
    counters.commit(4000)
    assert counters.latency_seconds.count == 3
    assert counters.latency_seconds.sum == 2.0 + 0.5


def task_of(topology, **options):
    (sub,) = Plan(topology, **options).subtopologies
    return Task(sub, 0, MemoryBackend(), [], {})


def test_a_task_counts_its_records_outputs_and_what_went_wrong():
    def handle(record, error):
        return OnError.SKIP if record.value() == b"skip" else OnError.DEAD_LETTER

    topology = Topology("app", on_failure=handle)
    topology.stream("in", str).flat_map_values(lambda v: [int(v)] * 2, value=int).to("out")
    task = task_of(topology)
    task.process("in", records(b"1", b"skip", b"letter"))
    task.rollback()
    task.process("in", records(b"1", b"skip", b"letter", b"2", b"letter"))
    task.commit({})
    task.counters.commit(2000)
    counted = task.counters.committed
    assert (counted.records["in"], counted.skipped, counted.dead_letters) == (5, 1, 2)
    assert counted.value_bytes["in"] == 18
    assert counted.produced == 4 + 2


def test_late_records_are_counted_for_each_window_they_miss():
    topology = Topology("app")
    grouped = topology.stream("in", int).group_by_key()
    grouped.windowed_by(Tumbling("1m")).count()
    grouped.windowed_by(Hopping("1m", "30s")).count()
    driver = TopologyDriver(topology)
    (task,) = driver._tasks.values()
    driver.pipe("in", "a", 1, timestamp=10 * MINUTE_MS)
    assert task.late_records == 0
    driver.pipe("in", "a", 1, timestamp=5 * MINUTE_MS)
    assert task.late_records == 3


def every_kind_of_step():
    topology = Topology("app", on_failure=OnError.SKIP)
    one, other = topology.stream("one", int), topology.stream("other", int)
    table = topology.table("table", int)
    one.group_by_key().windowed_by(Tumbling("1m")).count().to_stream().map(lambda w, n: (w.key, n), value=int).to("a")
    one.join(other, lambda v, w: v + w, within="1m", value=int).to("b")
    one.join(table, lambda v, w: v + w, value=int).to("c")
    one.group_by(lambda v: str(v)).reduce(lambda v, w: v + w).to("d")
    deep = one.merge(other)
    for _ in range(20):
        deep = deep.flat_map_values(lambda v: [v], value=int)
    deep.split(large=lambda v: v > 10)["large"].to("e")
    return topology


def test_steps_are_counted_by_one_line_each_and_not_unless_that_is_wanted():
    topology = every_kind_of_step()
    for sub, counting in zip(
        Plan(topology).subtopologies, Plan(topology, counts_steps=True).subtopologies, strict=True
    ):
        plain, counted = sub.program.text.splitlines(), counting.program.text.splitlines()
        head, *lines = [line for line in counted if "counted[" not in line]
        assert [head.replace("(counted, ", "("), *lines] == plain
        assert len(counted) - len(plain) >= len(counting.nodes)


def test_each_step_counts_the_records_that_come_to_it():
    topology = Topology("app", on_failure=OnError.SKIP, on_unreadable=OnError.SKIP)
    numbers = topology.stream("in", int)
    branches = numbers.filter(lambda v: v > 0).split(even=lambda v: v % 2 == 0)
    branches["even"].map_values(lambda v: 100 // (v - 4), value=int).to("even")
    branches["default"].flat_map_values(lambda v: [v] * v).foreach(lambda v: 1 // (v - 3))
    task = task_of(topology, counts_steps=True)
    task.process("in", records(*(value.to_bytes(8, "big", signed=True) for value in range(-2, 7)), b"short"))
    operators = task.counters.operators
    counted = dict(zip(operators.names, zip(operators.records, operators.errors, strict=True), strict=True))
    assert counted == {
        "in": (9, 1),
        "filter-1": (9, 0),
        "split-1": (6, 0),
        "branch-1": (6, 0),
        "branch-2": (5, 0),  # the record that map-values-1 failed on goes no further
        "map-values-1": (3, 1),
        "to-1": (2, 0),
        "flat-map-values-1": (3, 0),
        "peek-1": (1 + 1 + 5, 1),
    }


@pytest.mark.parametrize("wrong", ["reduce", "joiner"])
def test_errors_belong_to_the_step_that_raised_them(wrong):
    def sometimes(step):
        def function(value, other):
            if step == wrong and value == 7:
                raise ValueError(step)
            return value

        return function

    topology = Topology("app", on_failure=OnError.SKIP)
    table = topology.table("table", int)
    stream = topology.stream("in", int)
    stream.group_by_key().reduce(sometimes("reduce"), store="reduced").to_stream().peek(lambda v: None)
    stream.join(table, sometimes("joiner"), value=int).to("out")
    task = task_of(topology, counts_steps=True)
    for topic, value in [("table", 1), ("in", 7), ("in", 7), ("in", 1)]:
        record = Message(topic=topic, partition=0, offset=0, key=b"a", value=value.to_bytes(8, "big"), timestamp=(1, 1))
        task.process(topic, [record])
    operators = task.counters.operators
    (failing,) = [name for name, errors in zip(operators.names, operators.errors, strict=True) if errors]
    assert failing == {"reduce": "reduced", "joiner": "join-1"}[wrong]
