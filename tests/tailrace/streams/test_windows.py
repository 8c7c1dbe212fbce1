"""Windows of time: which records are in which, when windows close, and that time survives what happens to a task."""

from collections import defaultdict
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.streams import Emit, Hopping, Topology, TopologyError, Tumbling, Windowed
from tailrace.streams.types import STRING
from tailrace.streams.windows import WindowedSerde, milliseconds
from tailrace.testing.topology_driver import ManualClock, TopologyDriver


def counted(windows, emit=Emit.UPDATE, clock=None):
    topology = Topology("app")
    topology.stream("in", int).group_by_key().windowed_by(windows, emit=emit).count(store="n").to("out")
    return TopologyDriver(topology, clock=clock or ManualClock())


def results(driver):
    return [(w.key, w.start, w.end, count) for w, count in driver.read("out")]


def pipe(driver, *times, key="a", **options):
    for time in times:
        driver.pipe("in", key, 0, timestamp=time, **options)


def test_a_record_is_in_one_tumbling_window():
    driver = counted(Tumbling(10))
    pipe(driver, 0, 9, 10, 25)
    assert results(driver) == [("a", 0, 10, 1), ("a", 0, 10, 2), ("a", 10, 20, 1), ("a", 20, 30, 1)]


def test_a_record_is_in_every_hopping_window_that_spans_it():
    driver = counted(Hopping(10, 4))
    pipe(driver, 9)
    assert results(driver) == [("a", 0, 10, 1), ("a", 4, 14, 1), ("a", 8, 18, 1)]


def test_windows_close_when_time_reaches_their_end_and_the_grace_after_it():
    driver = counted(Tumbling(10, grace=5), Emit.CLOSE)
    pipe(driver, 3, 14)
    assert results(driver) == []
    pipe(driver, 15, key="b")
    assert results(driver) == [("a", 0, 10, 1)]
    pipe(driver, 100)
    assert results(driver) == [("a", 10, 20, 1), ("b", 10, 20, 1)]


def test_a_late_record_counts_within_the_grace_and_not_after_it():
    driver = counted(Tumbling(10, grace=5), Emit.CLOSE)
    pipe(driver, 3, 14, 5, 15, 6, 100)
    assert results(driver) == [("a", 0, 10, 2), ("a", 10, 20, 2)]


@pytest.mark.parametrize("lose_state", [False, True])
def test_a_restart_knows_the_time_so_that_what_was_late_is_late_still(lose_state):
    driver = counted(Tumbling(10), Emit.CLOSE)
    pipe(driver, 3, 10)
    assert results(driver) == [("a", 0, 10, 1)]
    driver.restart(lose_state=lose_state)
    pipe(driver, 5, 20)
    assert results(driver) == [("a", 10, 20, 1)]


def test_a_rollback_takes_back_the_closing_of_windows():
    driver = counted(Tumbling(10), Emit.CLOSE)
    pipe(driver, 3)
    pipe(driver, 10, commit=False)
    driver.rollback()
    assert results(driver) == []
    pipe(driver, 4, 10)
    assert results(driver) == [("a", 0, 10, 2)]


def test_windows_of_an_idle_stream_close_by_the_clock():
    clock = ManualClock(1000)
    driver = counted(Tumbling(10, grace=5, idle=100), Emit.CLOSE, clock)
    pipe(driver, 1000)
    driver.advance_wall_clock()
    for _ in range(3):
        clock.advance(38)
        assert results(driver) == []
        driver.advance_wall_clock()
    # 114 ms passed without a record: time is 1014 now, and in the next step 1015.
    assert results(driver) == []
    clock.advance(1)
    driver.advance_wall_clock()
    assert results(driver) == [("a", 1000, 1010, 1)]
    driver.restart()
    pipe(driver, 1001, 2000)
    assert results(driver) == []


def test_windows_stay_open_while_records_come_and_without_idle():
    clock = ManualClock(1000)
    for driver in (counted(Tumbling(10, idle=100), Emit.CLOSE, clock), counted(Tumbling(10), Emit.CLOSE, clock)):
        for _ in range(5):
            pipe(driver, 1000)
            driver.advance_wall_clock()
            clock.advance(60)
    assert results(driver) == []


def test_state_of_closed_windows_is_let_go():
    driver = counted(Hopping(10, 5, grace=3))
    for time in range(0, 200, 3):
        pipe(driver, time)
    starts = [int.from_bytes(key[:8], "big") for key, _ in driver.store("n").range(b"", None)]
    assert starts == [190, 195]


def test_keys_within_windows_are_written_as_kafka_streams_does():
    driver = counted(Tumbling(10))
    pipe(driver, 25)
    assert driver.read_raw("out")[0].key() == b"a\0\0\0\0\0\0\0\x14"
    serde = WindowedSerde(STRING, 10)
    assert serde.decode(serde.encode(Windowed("ä", 20, 30))) == Windowed("ä", 20, 30)


def test_each_key_and_each_window_has_an_aggregate_of_its_own():
    topology = Topology("app")
    grouped = topology.stream("in", int).group_by_key().windowed_by(Tumbling(10))
    grouped.aggregate([], lambda items, v: [*items, v]).to_stream().map_values(lambda w, v: f"{w.key}{w.start}{v}").to(
        "out", str
    )
    driver = TopologyDriver(topology)
    for key, time, value in [("a", 1, 1), ("b", 1, 2), ("a", 11, 3), ("a", 2, 4)]:
        driver.pipe("in", key, value, timestamp=time)
    assert [text for _, text in driver.read("out")] == ["a0[1]", "b0[2]", "a10[3]"]


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        ("500ms", 500),
        ("5s", 5000),
        ("1 m", 60_000),
        ("2h", 7_200_000),
        ("7d", 604_800_000),
        (timedelta(seconds=1.5), 1500),
        (42, 42),
    ],
)
def test_durations(duration, expected):
    assert milliseconds(duration) == expected


@pytest.mark.parametrize(
    ("size", "advance", "grace"), [(0, 0, 0), (10, 11, 0), (10, 10, -1), ("1 year", 1, 0), (5, 0, 0)]
)
def test_what_is_no_window_is_refused(size, advance, grace):
    with pytest.raises(TopologyError, match="expected"):
        Hopping(size, advance, grace)


def expected_counts(records, size, advance, grace):
    """The counts of windows, by a model without state: every window of every record, unless it had closed."""
    counts, time = defaultdict(int), -1
    for key, moment in records:
        time = max(time, moment)
        for start in range(0, moment + 1, advance):
            if start <= moment < start + size and start + size + grace > time:
                counts[key, start] += 1
    return counts


records = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 60), st.sampled_from("ccwrxl")), max_size=40)


@given(records, st.integers(1, 12), st.integers(1, 12), st.integers(0, 9))
def test_windows_close_once_with_the_counts_of_a_model_whatever_happens_to_the_task(records, size, advance, grace):
    windows = Hopping(size, min(advance, size), grace)
    driver = counted(windows, Emit.CLOSE)
    for key, time, then in records:
        if then in "rxl":
            pipe(driver, time, key=key, commit=False)
            driver.log["in"].pop()
            driver.rollback() if then == "r" else driver.restart(lose_state=then == "l")
        pipe(driver, time, key=key)
        if then == "w":
            driver.write()
    pipe(driver, 1000, key="end")
    closed = [((key, start), count) for key, start, _, count in results(driver) if key != "end"]
    assert len(closed) == len(dict(closed))
    assert dict(closed) == expected_counts([r[:2] for r in records], size, windows.advance_ms, grace)
