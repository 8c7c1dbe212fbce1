"""Sliding windows: one for each set of records that are close enough in time, in whatever order they come."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.streams import Emit, Sliding, Topology, TopologyError, Windowed
from tailrace.streams.types import STRING
from tailrace.streams.windows import WindowedSerde
from tailrace.testing.topology_driver import ManualClock, TopologyDriver


def summed(windows, emit=Emit.UPDATE, clock=None):
    """Records whose values are different powers of two: the sum of a window says which of them it holds."""
    topology = Topology("app")
    grouped = topology.stream("in", int).group_by_key().windowed_by(windows, emit=emit)
    grouped.aggregate(0, lambda total, v: total + v, store="sums").to("out", int)
    return TopologyDriver(topology, clock=clock or ManualClock())


def pipe(driver, *records, key="a", **options):
    for time, value in records:
        driver.pipe("in", key, value, timestamp=time, **options)


def results(driver):
    return [(w.start, w.end - 1, value) for w, value in driver.read("out")]


def late(driver):
    return sum(task.late_records for task in driver._tasks.values())


def test_a_record_ends_one_window_and_has_another_begin_after_it():
    driver = summed(Sliding(10))
    pipe(driver, (100, 1))
    assert results(driver) == [(90, 100, 1)]
    pipe(driver, (105, 2))
    assert results(driver) == [(95, 105, 3), (101, 111, 2)]
    pipe(driver, (111, 4))
    assert results(driver) == [(101, 111, 6), (106, 116, 4)]
    pipe(driver, (122, 8))
    assert results(driver) == [(112, 122, 8)]


def test_both_ends_of_a_window_are_within_it():
    driver = summed(Sliding(10))
    pipe(driver, (100, 1), (110, 2))
    assert results(driver)[1:] == [(100, 110, 3), (101, 111, 2)]


def test_a_record_out_of_order_makes_windows_of_those_that_were_there():
    driver = summed(Sliding(10, grace=100))
    pipe(driver, (100, 1), (108, 2))
    results(driver)
    pipe(driver, (104, 4))
    assert results(driver) == [(94, 104, 5), (98, 108, 7), (101, 111, 6), (105, 115, 2)]


def test_windows_begin_with_time_at_the_earliest():
    driver = summed(Sliding(10, grace=100))
    pipe(driver, (3, 1), (8, 2), (5, 4))
    assert results(driver) == [(0, 10, 1), (0, 10, 3), (4, 14, 2), (0, 10, 7), (4, 14, 6), (6, 16, 2)]


def test_records_of_the_same_time_are_in_the_same_windows():
    driver = summed(Sliding(0))
    pipe(driver, (5, 1), (5, 2), (6, 4))
    assert results(driver) == [(5, 5, 1), (5, 5, 3), (6, 6, 4)]


def test_windows_close_when_time_has_passed_their_end_and_the_grace_after_it():
    driver = summed(Sliding(10, grace=5), Emit.CLOSE)
    pipe(driver, (100, 1), (105, 2))
    assert results(driver) == []
    pipe(driver, (106, 4), key="b")
    assert results(driver) == [(90, 100, 1)]
    pipe(driver, (200, 0), key="c")
    assert results(driver) == [(95, 105, 3), (96, 106, 4), (101, 111, 2)]
    assert [record.timestamp()[1] for record in driver.log["out"]] == [100, 105, 106, 111]


def test_a_record_is_late_when_all_windows_have_closed_that_could_hold_it():
    driver = summed(Sliding(10, grace=5), Emit.CLOSE)
    pipe(driver, (100, 1), (116, 2))
    assert results(driver) == [(90, 100, 1)]
    pipe(driver, (100, 4))  # dropped
    assert late(driver) == 1
    pipe(driver, (101, 8))  # the window that ends with it has closed, the one that begins after 100 has not
    pipe(driver, (1000, 0), key="end")
    assert late(driver) == 1
    assert results(driver) == [(101, 111, 8), (106, 116, 2)]


def test_windows_of_an_idle_stream_close_by_the_clock():
    clock = ManualClock(1000)
    driver = summed(Sliding(10, grace=5, idle=100), Emit.CLOSE, clock)
    pipe(driver, (1000, 1))
    driver.advance_wall_clock()
    clock.advance(105)
    driver.advance_wall_clock()
    assert results(driver) == []
    clock.advance(1)
    driver.advance_wall_clock()
    assert results(driver) == [(990, 1000, 1)]


def test_windows_can_be_asked_for_while_they_are_open_and_joined():
    topology = Topology("app")
    windows = topology.stream("in", int).group_by_key().windowed_by(Sliding(10, grace=20))
    counts, most = windows.count(), windows.reduce(max)
    counts.join(most, lambda count, most: count * 100 + most, value=int).to("out")
    driver = TopologyDriver(topology)
    pipe(driver, (100, 7), (105, 2))
    asked = driver.queries().of(counts)
    assert list(asked.fetch("a")) == [
        (Windowed("a", 90, 101), 1),
        (Windowed("a", 95, 106), 2),
        (Windowed("a", 101, 112), 1),
    ]
    assert list(asked.fetch("a", 91, 95)) == [(Windowed("a", 95, 106), 2)]
    assert dict(driver.read("out")) == {
        Windowed("a", 90, 101): 107,
        Windowed("a", 95, 106): 207,
        Windowed("a", 101, 112): 102,
    }
    pipe(driver, (121, 0), key="b")
    assert asked.get(Windowed("a", 90, 101)) is None
    assert asked.get(Windowed("a", 95, 106)) == 2


def test_several_streams_share_windows():
    topology = Topology("app")
    words, numbers = topology.stream("words", str).group_by_key(), topology.stream("numbers", int).group_by_key()
    both = words.cogroup(lambda text, word: text + word).cogroup(numbers, lambda key, text, n: f"{text}{key}{n}")
    both.windowed_by(Sliding(10), emit=Emit.CLOSE).aggregate("", store="both").to("out")
    driver = TopologyDriver(topology)
    for topic, value, time in [("words", "x", 101), ("numbers", 1, 105), ("words", "y", 300)]:
        driver.pipe(topic, "a", value, timestamp=time)
    assert results(driver) == [(91, 101, "x"), (95, 105, "xa1"), (102, 112, "a1")]


def test_state_of_windows_is_let_go():
    driver = summed(Sliding(10, grace=3))
    for time in range(0, 2000, 3):
        pipe(driver, (time, 1))
    sizes = {name: len(list(driver.store(name).range(b"", None))) for name in ("sums", "sums-past", "sums-times")}
    assert sizes["sums"] < 10
    assert sizes["sums-past"] < 40
    assert sizes["sums-times"] < 8


def test_keys_within_windows_are_written_as_kafka_streams_does():
    driver = summed(Sliding(10))
    pipe(driver, (25, 1))
    assert driver.read_raw("out")[0].key() == b"a\0\0\0\0\0\0\0\x0f"
    assert WindowedSerde(STRING, 11).decode(b"a\0\0\0\0\0\0\0\x0f") == Windowed("a", 15, 26)


@pytest.mark.parametrize(("difference", "grace"), [(-1, 0), (10, -1), ("soon", 0)])
def test_what_is_no_window_is_refused(difference, grace):
    with pytest.raises(TopologyError, match="expected"):
        Sliding(difference, grace)


def arrivals(records, difference, grace):
    """Time, value, and the time that the task had reached, of the records of each key that were not late."""
    accepted, now = {}, -1
    for number, (key, time) in enumerate(records):
        now = max(now, time)
        if time + difference + 1 + grace > now:
            accepted.setdefault(key, []).append((time, 1 << number, now))
    return accepted


def expected_windows(records, difference, grace):
    """By the definition: every window that ends with a record, or begins after one and holds another; of each key,
    with those that came before it closed.
    """
    windows = {}
    for key, all_ in arrivals(records, difference, grace).items():
        for start in {max(t - difference, 0) for t, _, _ in all_} | {t + 1 for t, _, _ in all_}:
            came = [(t, v) for t, v, now in all_ if start + difference + 1 + grace > now]
            defined = any(start in (max(t - difference, 0), t + 1) for t, _ in came)
            held = [v for t, v in came if start <= t <= start + difference]
            if defined and held:
                windows[key, start] = sum(held)
    return windows


records = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 60), st.sampled_from("ccwrxl")), max_size=30)


def pipe_all(driver, records):
    """(c)ommit, (w)rite, (r)ollback and retry, crash (x), or crash and loss of the disk (l) follow a record."""
    for number, (key, time, then) in enumerate(records):
        if then in "rxl":
            pipe(driver, (time, 1 << number), key=key, commit=False)
            driver.log["in"].pop()
            driver.rollback() if then == "r" else driver.restart(lose_state=then == "l")
        pipe(driver, (time, 1 << number), key=key)
        if then == "w":
            driver.write()


@settings(max_examples=300)
@given(records, st.integers(0, 15), st.integers(0, 40))
def test_windows_close_once_with_what_the_definition_says_whatever_happens_to_the_task(records, difference, grace):
    driver = summed(Sliding(difference, grace), Emit.CLOSE)
    pipe_all(driver, records)
    pipe(driver, (1000, 0), key="end")
    closed = [((window.key, window.start), value) for window, value in driver.read("out")]
    assert len(closed) == len(dict(closed))
    assert dict(closed) == expected_windows([r[:2] for r in records], difference, grace)


@settings(max_examples=200)
@given(records, st.integers(0, 15), st.integers(0, 40))
def test_updates_end_with_what_the_definition_says_and_know_what_was_before(records, difference, grace):
    topology = Topology("app")
    windows = topology.stream("in", int).group_by_key().windowed_by(Sliding(difference, grace))
    sums = windows.aggregate(0, lambda total, v: total + v)
    sums.to("out", int)
    # A value that is replaced leaves its group, if the update has it.
    sums.group_by(lambda window, total: total, key=int).count(store="n").to("counts")
    driver = TopologyDriver(topology)
    pipe_all(driver, records)
    expected = expected_windows([r[:2] for r in records], difference, grace)
    assert {(window.key, window.start): value for window, value in driver.read("out")} == expected
    counts = dict(driver.read("counts"))
    assert {total: count for total, count in counts.items() if count} == Counter(expected.values())
