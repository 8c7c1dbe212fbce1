"""Aggregates that are arrays, which are changed in place easily and cannot be compared as other values are.

The array of the standard library stands for that of numpy, which the project does not depend on.
"""

from array import array
from collections import deque

import pytest

from tailrace.registry.errors import SerdeError
from tailrace.registry.serde import JsonSerde
from tailrace.streams import Emit, ProcessingFailed, Sessions, Topology, TopologyError, Tumbling
from tailrace.testing.topology_driver import TopologyDriver


class Vector(array):
    """As numpy's arrays, of no truth value, and without equality that has one."""

    def __bool__(self):
        raise ValueError("the truth value of an array is ambiguous")

    def __eq__(self, other):
        raise ValueError("the truth value of an array is ambiguous")

    __ne__ = __lt__ = __gt__ = __eq__
    __hash__ = None


class VectorSerde:
    """Vectors as their bytes; what was read cannot be told from what was written."""

    def encode(self, value):
        return value.tobytes()

    def decode(self, data):
        if len(data) % 8:
            raise SerdeError(f"{len(data)} bytes are no vector")
        vector = Vector("d")
        vector.frombytes(data)
        return vector


class Histogram:
    """How many values there were of each remainder."""

    def initial(self):
        return Vector("d", [0, 0, 0])

    def add(self, counts, value):
        return Vector("d", [count + (place == value % 3) for place, count in enumerate(counts)])

    def merge(self, one, other):
        return Vector("d", [a + b for a, b in zip(one, other, strict=True)])


def grouped(build):
    topology = Topology("app")
    build(topology.stream("in", int).group_by_key())
    return TopologyDriver(topology)


def results(driver):
    return [None if value is None else list(value) for _, value in driver.read("out")]


GROUPS = {
    "aggregate": lambda g: g,
    "window": lambda g: g.windowed_by(Tumbling(1_000)),
    "session": lambda g: g.windowed_by(Sessions(1_000)),
}


@pytest.mark.parametrize("kind", GROUPS)
@pytest.mark.parametrize("lose_state", [False, True])
def test_arrays_are_kept_whatever_happens(kind, lose_state):
    driver = grouped(
        lambda g: GROUPS[kind](g).aggregate(Histogram(), store="counts", value=VectorSerde()).to("out", VectorSerde())
    )
    driver.pipe("in", "a", 0, timestamp=10)
    driver.pipe("in", "a", 1, timestamp=10)
    driver.write()
    driver.pipe("in", "a", 1, timestamp=10)
    driver.pipe("in", "a", 2, timestamp=10, commit=False)
    driver.rollback()
    driver.restart(lose_state=lose_state)
    driver.pipe("in", "a", 2, timestamp=10)
    assert results(driver) == [[1, 0, 0], [1, 1, 0], [1, 2, 0], [1, 2, 1]]


def test_sessions_of_arrays_grow_together_and_close():
    driver = grouped(
        lambda g: (
            g.windowed_by(Sessions(10, grace=100), emit=Emit.CLOSE)
            .aggregate(Histogram(), value=VectorSerde())
            .to("out", VectorSerde())
        )
    )
    for value, time in ((0, 100), (1, 115), (2, 108), (0, 1000)):
        driver.pipe("in", "a", value, timestamp=time)
    assert results(driver) == [[1, 1, 1]]


def test_tables_of_arrays_can_be_mapped_filtered_and_asked():
    topology = Topology("app")
    counts = topology.stream("in", int).group_by_key().aggregate(Histogram(), value=VectorSerde())
    counts.filter(lambda counts: sum(counts) > 1).map_values(lambda counts: int(sum(counts))).to("out", int)
    driver = TopologyDriver(topology)
    for value in (1, 2, 2):
        driver.pipe("in", "a", value)
    assert driver.read("out") == [("a", 2), ("a", 3)]
    assert list(driver.queries().of(counts).get("a")) == [0, 1, 2]


class InPlace(Histogram):
    def add(self, counts, value):
        counts[value % 3] += 1
        return counts


def test_arrays_that_are_changed_in_place_are_refused_at_the_first_record():
    driver = grouped(lambda g: g.aggregate(InPlace(), value=VectorSerde()))
    with pytest.raises(ProcessingFailed, match="add gave back the same Vector; an aggregate is never changed in place"):
        driver.pipe("in", "a", 1)


def test_queues_that_are_changed_in_place_are_refused():
    driver = grouped(
        lambda g: g.aggregate(deque(), lambda queue, value: queue.append(value) or queue, value=JsonSerde())
    )
    with pytest.raises(ProcessingFailed, match="add gave back the same deque"):
        driver.pipe("in", "a", 1)


def test_what_msgpack_cannot_write_needs_a_serde():
    with pytest.raises(TopologyError, match=r"counts: msgpack cannot write Vector \(.*\); say value=, a serde"):
        grouped(lambda g: g.aggregate(Histogram(), store="counts"))
    with pytest.raises(TopologyError, match="say value=, a serde"):
        grouped(lambda g: g.cogroup(Histogram().add).aggregate(Vector("d", [0, 0, 0])))
