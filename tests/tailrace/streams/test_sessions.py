"""Sessions: records that are not far apart belong together, also when a late one closes the gap between two."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.streams import Emit, Sessions, Topology, TopologyError, Windowed
from tailrace.streams.types import STRING
from tailrace.streams.windows import SessionSerde
from tailrace.testing.topology_driver import ManualClock, TopologyDriver


def summed(sessions, emit=Emit.UPDATE, clock=None):
    topology = Topology("app")
    grouped = topology.stream("in", int).group_by_key().windowed_by(sessions, emit=emit)
    grouped.aggregate((), lambda all_, v: (*all_, v), merge=lambda a, b: (*a, *b), store="s").to_stream().map_values(
        lambda all_: None if all_ is None else sum(all_)
    ).to("out", int)
    return TopologyDriver(topology, clock=clock or ManualClock())


def pipe(driver, *records, key="a", **options):
    for time, value in records:
        driver.pipe("in", key, value, timestamp=time, **options)


def results(driver):
    return [(w.key, w.start, w.end, value) for w, value in driver.read("out")]


def test_records_within_the_gap_are_one_session_and_replace_what_it_was():
    driver = summed(Sessions(10))
    pipe(driver, (5, 1), (15, 2), (26, 4))
    assert results(driver) == [("a", 5, 6, 1), ("a", 5, 6, None), ("a", 5, 16, 3), ("a", 26, 27, 4)]


def test_a_record_between_two_sessions_makes_them_one():
    driver = summed(Sessions(10, grace=100))
    pipe(driver, (0, 1), (20, 2))
    results(driver)
    pipe(driver, (10, 4))
    assert results(driver) == [("a", 0, 1, None), ("a", 20, 21, None), ("a", 0, 21, 7)]


def test_a_record_within_a_session_leaves_its_span():
    driver = summed(Sessions(10))
    pipe(driver, (0, 1), (10, 2))
    results(driver)
    pipe(driver, (5, 4))
    assert results(driver) == [("a", 0, 11, 7)]


def test_sessions_close_when_gap_and_grace_have_passed():
    driver = summed(Sessions(10, grace=5), Emit.CLOSE)
    pipe(driver, (0, 1), (10, 2))
    pipe(driver, (25, 9), key="b")
    assert results(driver) == []
    pipe(driver, (26, 9), key="b")
    assert results(driver) == [("a", 0, 11, 3)]
    pipe(driver, (9, 4), (100, 1))
    # The late record is dropped.
    assert results(driver) == [("b", 25, 27, 18)]
    assert [record.timestamp()[1] for record in driver.log["out"]] == [10, 26]


def test_sessions_of_an_idle_stream_close_by_the_clock():
    clock = ManualClock(1000)
    driver = summed(Sessions(10, idle=50), Emit.CLOSE, clock)
    pipe(driver, (1000, 1))
    driver.advance_wall_clock()
    clock.advance(60)
    driver.advance_wall_clock()
    assert results(driver) == []
    clock.advance(1)
    driver.advance_wall_clock()
    assert results(driver) == [("a", 1000, 1001, 1)]


def test_tables_by_sessions_can_be_joined():
    topology = Topology("app")
    grouped = topology.stream("in", int).group_by_key().windowed_by(Sessions(10))
    most = grouped.reduce(max)
    grouped.count().join(most, lambda count, most: count * 100 + most, value=int).to("out")
    driver = TopologyDriver(topology)
    pipe(driver, (5, 7), (15, 2), (40, 9))
    last = dict(driver.read("out"))
    assert last == {Windowed("a", 5, 6): None, Windowed("a", 5, 16): 207, Windowed("a", 40, 41): 109}


def test_keys_within_sessions_are_written_as_kafka_streams_does():
    driver = summed(Sessions(10))
    pipe(driver, (1, 1), (3, 1))
    assert driver.read_raw("out")[-1].key() == b"a\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x01"
    serde = SessionSerde(STRING)
    assert serde.decode(serde.encode(Windowed("ä", 20, 30))) == Windowed("ä", 20, 30)


def test_an_aggregate_for_sessions_can_be_merged():
    grouped = Topology("app").stream("in", int).group_by_key().windowed_by(Sessions("30s"))
    with pytest.raises(TopologyError, match=r"sessions may grow together, which needs merge\(one, other\)"):
        grouped.aggregate(0, lambda total, v: total + v)


def expected_sessions(records, gap, grace):
    """By a model that begins anew for each record, and finds out which have closed by then."""
    time, accepted, closed = -1, [], []
    for number, (key, moment) in enumerate(records):
        time = max(time, moment)
        if moment + gap + grace + 1 <= time:
            continue
        accepted.append((key, moment, number))
        still_open = []
        for session in spans(accepted, gap):
            is_closed = session[-1][1] + gap + grace + 1 <= time
            (closed if is_closed else still_open).append(session)
        accepted = [record for session in still_open for record in session]
    return closed + spans(accepted, gap)


def spans(records, gap):
    sessions = []
    for record in sorted(records):
        last = sessions[-1][-1] if sessions else None
        if last and last[0] == record[0] and record[1] - last[1] <= gap:
            sessions[-1].append(record)
        else:
            sessions.append([record])
    return sessions


records = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 60), st.sampled_from("ccwrxl")), max_size=30)


@given(records, st.integers(1, 12), st.integers(0, 9))
def test_sessions_close_once_with_what_a_model_has_whatever_happens_to_the_task(records, gap, grace):
    """(c)ommit, (w)rite, (r)ollback and retry, crash (x), or crash and loss of the disk (l) follow a record."""
    driver = summed(Sessions(gap, grace), Emit.CLOSE)
    for number, (key, time, then) in enumerate(records):
        if then in "rxl":
            pipe(driver, (time, 1 << number), key=key, commit=False)
            driver.log["in"].pop()
            driver.rollback() if then == "r" else driver.restart(lose_state=then == "l")
        pipe(driver, (time, 1 << number), key=key)
        if then == "w":
            driver.write()
    pipe(driver, (10_000, 0), key="end")
    expected = [
        (session[0][0], session[0][1], session[-1][1] + 1, sum(1 << number for _, _, number in session))
        for session in expected_sessions([record[:2] for record in records], gap, grace)
    ]
    assert sorted(results(driver)) == sorted(expected)
