"""Session stores of processors: by key and span of time, for as long as the retention says."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.streams import ProcessingFailed, Sessions, StoredSessions, Topology, TopologyError, Windowed
from tailrace.streams.plan import Plan
from tailrace.streams.state.expiry import STEPS
from tailrace.testing.topology_driver import TopologyDriver
from tests.tailrace.streams.disturbed import check_undisturbed, disturbances, driven, moments

RETENTION = 10 * STEPS
VISITS = StoredSessions("visits", int, retention=RETENTION)


def act(store, key, value=None, start=None, end=None):
    if value == "remove":
        store.remove(Windowed(key, start, end))
    elif value is not None:
        store.put(Windowed(key, start, end), value)


def see(store):
    """Check all ways to read against each other, and give what is there."""
    everything = list(store.all())
    assert everything == sorted(everything, key=lambda entry: (entry[0].key, entry[0].start, entry[0].end))
    assert all(store.get(session) == value for session, value in everything)
    for key in "abc":
        assert list(store.fetch(key)) == [entry for entry in everything if entry[0].key == key]
        some = [e for e in everything if e[0].key == key and e[0].end >= 1010 and e[0].start <= 1030]
        assert list(store.find(key, 1010, 1030)) == some
    return [(session.key, session.start, session.end, value) for session, value in everything]


def make():
    return driven(VISITS, act, see)


def seen(driver, *records):
    for key, value, time in records:
        driver.pipe("in", key, value, timestamp=time)
    return [[tuple(entry) for entry in value] for _, value in driver.read("out")]


def test_sessions_are_found_by_key_until_their_end_is_too_old():
    driver = make()
    puts = ("b", [1, 1000, 1020], 1020), ("a", [2, 1010, 1011], 1020), ("a", [3, 1000, 1041], 1040)
    assert seen(driver, *puts)[-1] == [("a", 1000, 1041, 3), ("a", 1010, 1011, 2), ("b", 1000, 1020, 1)]
    times = 1009 + RETENTION, 1010 + RETENTION, 1019 + RETENTION, 1040 + RETENTION
    assert [len(sessions) for sessions in seen(driver, *(("c", [], time) for time in times))] == [3, 2, 1, 0]


def test_a_session_that_has_expired_cannot_be_put():
    driver = make()
    late = ("a", [1, 900, 1001], 1000 + RETENTION), ("a", [1, 900, 1002], 1000 + RETENTION)
    assert seen(driver, *late) == [[], [("a", 900, 1002, 1)]]


def test_what_has_expired_is_deleted_from_backend_and_changelog():
    driver = make()
    seen(driver, ("a", [1, 1000, 1001], 1000), ("a", [2, 1050, 1051], 1100))
    assert {name: len(entries) for name, entries in driver.contents().items()} == {"visits": 1, "visits-expiry": 2}
    seen(driver, ("c", [], 1009 + RETENTION))
    assert len(driver.contents()["visits-expiry"]) == 2
    seen(driver, ("c", [], 1010 + RETENTION))
    assert len(driver.contents()["visits-expiry"]) == 1
    seen(driver, ("c", [], 1060 + RETENTION))
    assert driver.contents() == {}
    for topic in ("app-visits-changelog", "app-visits-expiry-changelog"):
        latest = {record.key(): record.value() for record in driver.log[topic]}
        assert set(latest.values()) == {None}


def test_a_session_that_is_removed_leaves_nothing_but_the_others_of_its_time():
    driver = make()
    seen(driver, ("a", [1, 1000, 1001], 1000), ("a", [2, 1003, 1004], 1010), ("a", ["remove", 1000, 1001], 1010))
    assert {name: len(entries) for name, entries in driver.contents().items()} == {"visits": 1, "visits-expiry": 1}
    assert seen(driver, ("a", ["remove", 1000, 1004], 1010)) == [[("a", 1003, 1004, 2)]]
    assert seen(driver, ("a", ["remove", 1003, 1004], 1010)) == [[]]
    assert driver.contents() == {}


GAP = 10


class Visits:
    """Counts the records of each session, as the aggregate by sessions does."""

    def __init__(self, context):
        self._context, self._visits = context, context.store(VISITS)

    def process(self, key, value):
        time = self._context.timestamp
        session, count = Windowed(key, time, time + 1), 1
        for met, others in list(self._visits.find(key, time - GAP + 1, time + GAP)):
            session = Windowed(key, min(session.start, met.start), max(session.end, met.end))
            count += others
            self._visits.remove(met)
        self._visits.put(session, count)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1000, 1100)), max_size=30))
def test_sessions_that_grow_are_those_of_the_aggregate(records):
    topology = Topology("app")
    stream = topology.stream("in", int)
    stream.process(Visits, stores=[VISITS])
    counts = stream.group_by_key().windowed_by(Sessions(GAP, grace=RETENTION)).count()
    driver = TopologyDriver(topology)
    for key, time in records:
        driver.pipe("in", key, 1, timestamp=time)
    queries = driver.queries()
    assert list(queries.of(VISITS).all()) == list(queries.of(counts).all())


doing = st.one_of(
    st.builds(
        lambda value, start, length: [value, start, start + length],
        st.one_of(st.integers(0, 9), st.just("remove")),
        st.sampled_from([1000, 1003]),
        st.sampled_from([1, 4, 40]),
    ),
    st.builds(
        lambda value, start, length: [value, start, start + length],
        st.integers(0, 9),
        st.integers(0, 4000),
        st.integers(1, 500),
    ),
    st.just([]),
)
arguments = st.one_of(doing, doing, doing.map(lambda arguments: [None, *arguments]))
records = st.tuples(st.sampled_from("abc"), arguments, moments(RETENTION))


def expected(records):
    time, sessions, outputs = -1, {}, []
    for key, arguments, moment in records:
        if arguments[:1] == [None]:
            continue
        time = max(time, moment)
        if arguments and arguments[0] == "remove":
            sessions.pop((key, *arguments[1:]), None)
        elif arguments:
            sessions[key, *arguments[1:]] = arguments[0]
        sessions = {place: value for place, value in sessions.items() if place[2] - 1 + RETENTION > time}
        outputs.append([[*place, value] for place, value in sorted(sessions.items())])
    return outputs


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(records, disturbances()), max_size=30))
def test_a_disturbed_run_sees_what_the_model_sees(steps):
    outputs = check_undisturbed(make, [record for record, _ in steps], [after for _, after in steps])
    assert outputs == expected([record for record, _ in steps])


def test_the_changelog_keeps_sessions_a_day_longer_than_the_store():
    topology = Topology("app")
    topology.stream("in", int).process(lambda context: None, stores=[VISITS])
    topics = {topic.name: topic.config for topic in Plan(topology).internal_topics({"in": 1})}
    assert topics == {
        "app-visits-changelog": {
            "cleanup.policy": "compact,delete",
            "retention.ms": str(RETENTION + 24 * 3_600_000),
        },
        # Of what expires it knows until it has.
        "app-visits-expiry-changelog": {"cleanup.policy": "compact"},
    }


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (7, 7), (7, 6)])
def test_sessions_end_after_they_begin(start, end):
    driver = driven(VISITS, act, see, fails=True)
    with pytest.raises(ProcessingFailed, match="is no session; expected 0 <= start < end"):
        driver.pipe("in", "a", [1, start, end], timestamp=1000)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"retention": 0}, "visits: retention is 0; expected a duration above 0"),
        ({"retention": None}, "None is no duration"),
        ({"key": 1}, "visits: 1 is no type of a key"),
    ],
)
def test_mistakes_are_said_at_once(arguments, message):
    with pytest.raises(TopologyError, match=message):
        StoredSessions(**{"name": "visits", "value": int, "retention": "5m"} | arguments)
