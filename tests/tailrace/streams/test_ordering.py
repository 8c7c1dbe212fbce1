"""Bringing topics together in order of time, without ever running ahead of one that is behind."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from tailrace.streams.ordering import TimedInputs


@dataclass
class At:
    """A record of this time."""

    time: int

    def timestamp(self):
        return 1, self.time


def times(runs):
    return [(topic, [record.time for record in records]) for topic, records in runs]


def test_records_come_in_order_of_time_and_tables_first_at_the_same_time():
    inputs = TimedInputs(["table", "stream"])
    inputs.add("stream", [At(1), At(2), At(3), At(4)])
    inputs.add("table", [At(2), At(3)])
    assert times(inputs.take(lambda topic: False)) == [
        ("stream", [1]),
        ("table", [2]),
        ("stream", [2]),
        ("table", [3]),
        ("stream", [3, 4]),
    ]
    assert not inputs


def test_nothing_is_taken_while_an_earlier_record_may_come():
    inputs = TimedInputs(["table", "stream"])
    inputs.add("stream", [At(1), At(2)])
    assert inputs.take(lambda topic: topic == "table") == []
    assert inputs.waiting("stream") == 2
    inputs.add("table", [At(1)])
    assert times(inputs.take(lambda topic: topic == "table")) == [("table", [1])]
    assert times(inputs.take(lambda topic: False)) == [("stream", [1, 2])]


def test_a_topic_keeps_its_own_order_whatever_its_times_are():
    inputs = TimedInputs(["one", "two"])
    inputs.add("one", [At(5), At(1), At(6)])
    inputs.add("two", [At(4), At(5)])
    assert times(inputs.take(lambda topic: False)) == [("two", [4]), ("one", [5, 1]), ("two", [5]), ("one", [6])]


@given(
    st.lists(st.lists(st.integers(0, 20).map(At), max_size=15), min_size=1, max_size=3),
    st.randoms(use_true_random=False),
)
def test_the_order_does_not_depend_on_when_records_arrive(topics, random):
    """Whatever is read first: all is taken once, as if all had been there from the beginning."""
    names = [str(number) for number in range(len(topics))]
    at_once, bit_by_bit = TimedInputs(names), TimedInputs(names)
    for name, records in zip(names, topics, strict=True):
        at_once.add(name, records)
    expected = [(topic, record) for topic, records in at_once.take(lambda topic: False) for record in records]
    left = {name: list(records) for name, records in zip(names, topics, strict=True)}
    taken = []
    while any(left.values()):
        name = random.choice([name for name in names if left[name]])
        count = random.randint(1, len(left[name]))
        bit_by_bit.add(name, left[name][:count])
        del left[name][:count]
        runs = bit_by_bit.take(lambda topic: bool(left[topic]))
        taken += [(topic, record) for topic, records in runs for record in records]
    assert [(topic, id(record)) for topic, record in taken] == [(topic, id(record)) for topic, record in expected]
