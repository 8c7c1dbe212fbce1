"""Window stores of processors: by key and start, for as long as the retention says."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.streams import ProcessingFailed, StoredWindows, Topology, TopologyError, Windowed
from tailrace.streams.plan import Plan
from tailrace.streams.state.expiry import STEPS
from tailrace.testing.topology_driver import TopologyDriver
from tests.tailrace.streams.disturbed import check_undisturbed, disturbances, driven, moments

RETENTION = 10 * STEPS
CLICKS = StoredWindows("clicks", int, size=10, retention=RETENTION)


def act(store, key, value=None, start=None):
    if value == "delete":
        store.delete(key, start)
    elif value is not None:
        store.put(key, value, start)


def see(store):
    """Check all ways to read against each other, and give what is there."""
    everything = list(store.all())
    assert everything == sorted(everything, key=lambda entry: (entry[0].start, entry[0].key))
    assert all(store.get(window.key, window.start) == value for window, value in everything)
    for key in "abc":
        assert list(store.fetch(key)) == [entry for entry in everything if entry[0].key == key]
        some = [entry for entry in everything if entry[0].key == key and 1000 <= entry[0].start <= 1050]
        assert list(store.fetch(key, 1000, 1050)) == some
    assert list(store.fetch_all(1000, 1050)) == [e for e in everything if 1000 <= e[0].start <= 1050]
    return [(window.key, window.start, value) for window, value in everything]


def make():
    return driven(CLICKS, act, see)


def seen(driver, *records):
    for key, value, time in records:
        driver.pipe("in", key, value, timestamp=time)
    return [[tuple(entry) for entry in value] for _, value in driver.read("out")]


def test_windows_are_found_by_key_and_start_until_their_start_is_too_old():
    driver = make()
    puts = ("a", [1, 1000], 1000), ("b", [2, 1000], 1000), ("a", [3, 1010], 1010)
    assert seen(driver, *puts)[-1] == [("a", 1000, 1), ("b", 1000, 2), ("a", 1010, 3)]
    after = ("c", [], 999 + RETENTION), ("c", [], 1000 + RETENTION), ("c", [], 1010 + RETENTION)
    assert [len(windows) for windows in seen(driver, *after)] == [3, 1, 0]


def test_windows_have_the_size_of_their_store():
    topology = Topology("app")

    class Fetching:
        def __init__(self, context):
            self._clicks = context.store(CLICKS)

        def process(self, key, value):
            self._clicks.put(key, value, 1000)
            return [(key, str(next(self._clicks.fetch(key))))]

    topology.stream("in", int).process(Fetching, stores=[CLICKS], value=str).to("out")
    driver = TopologyDriver(topology)
    driver.pipe("in", "a", 7, timestamp=1000)
    assert driver.read("out") == [("a", str((Windowed("a", 1000, 1010), 7)))]


def test_a_window_that_has_expired_cannot_be_put():
    driver = make()
    late = ("a", [1, 1000], 1000 + RETENTION), ("a", [1, 1001], 1000 + RETENTION)
    assert seen(driver, *late) == [[], [("a", 1001, 1)]]


def test_what_has_expired_is_deleted_from_backend_and_changelog():
    driver = make()
    seen(driver, ("a", [1, 1000], 1000), ("b", [2, 1010], 1100), ("c", [], 999 + RETENTION))
    assert len(driver.contents()["clicks"]) == 2
    seen(driver, ("c", [], 1000 + RETENTION))
    assert len(driver.contents()["clicks"]) == 1
    seen(driver, ("c", [], 1010 + RETENTION))
    assert driver.contents() == {}
    assert [record.value() for record in driver.log["app-clicks-changelog"][-2:]] == [None, None]


def test_windows_that_expired_in_vain_are_found_again():
    driver = make()
    seen(driver, ("a", [1, 1000], 1000))
    driver.pipe("in", "c", [], timestamp=1000 + RETENTION, commit=False)
    driver.rollback()
    assert seen(driver, ("c", [], 1001)) == [[("a", 1000, 1)]]


class Looking:
    """Looks for windows before state is restored, and for those of each record's key afterwards."""

    def __init__(self, context):
        self._clicks = context.store(CLICKS)
        assert list(self._clicks.fetch("a")) == []

    def process(self, key, value):
        self._clicks.put(key, value, value)
        return [(key, len(list(self._clicks.fetch(key))))]


def test_windows_are_found_although_one_looked_before_state_was_restored():
    topology = Topology("app")
    topology.stream("in", int).process(Looking, stores=[CLICKS], value=int).to("out")
    driver = TopologyDriver(topology)
    driver.pipe("in", "a", 1000, timestamp=1000)
    driver.restart(lose_state=True)
    driver.pipe("in", "a", 1010, timestamp=1010)
    assert driver.read("out") == [("a", 1), ("a", 2)]


doing = st.one_of(
    st.tuples(st.one_of(st.integers(0, 9), st.just("delete")), st.sampled_from([1000, 1001, 1009, 1010, 1640])),
    st.tuples(st.integers(0, 9), st.integers(0, 4000)),
    st.just(()),
).map(list)
arguments = st.one_of(doing, doing, doing.map(lambda arguments: [None, *arguments]))
records = st.tuples(st.sampled_from("abc"), arguments, moments(RETENTION))


def expected(records):
    time, windows, outputs = -1, {}, []
    for key, arguments, moment in records:
        if arguments[:1] == [None]:
            continue
        time = max(time, moment)
        if arguments and arguments[0] == "delete":
            windows.pop((arguments[1], key), None)
        elif arguments:
            windows[arguments[1], key] = arguments[0]
        windows = {place: value for place, value in windows.items() if place[0] + RETENTION > time}
        outputs.append([[key, start, value] for (start, key), value in sorted(windows.items())])
    return outputs


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(records, disturbances()), max_size=30))
def test_a_disturbed_run_sees_what_the_model_sees(steps):
    outputs = check_undisturbed(make, [record for record, _ in steps], [after for _, after in steps])
    assert outputs == expected([record for record, _ in steps])


def test_the_changelog_keeps_windows_a_day_longer_than_the_store():
    topology = Topology("app")
    topology.stream("in", int).process(lambda context: None, stores=[CLICKS])
    (changelog,) = Plan(topology).internal_topics({"in": 1})
    assert changelog.config == {"cleanup.policy": "compact,delete", "retention.ms": str(RETENTION + 24 * 3_600_000)}


def test_no_window_starts_before_1970():
    driver = driven(CLICKS, act, see, fails=True)
    with pytest.raises(ProcessingFailed, match="clicks: no window can start at -1"):
        driver.pipe("in", "a", [1, -1], timestamp=1000)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "clicks: size is 0; expected a duration above 0"),
        ({"retention": "0s"}, "clicks: retention is '0s'; expected a duration above 0"),
        ({"size": "1h"}, "windows of 1h are not kept for 5m; expected a retention of at least their size"),
        ({"retention": "long"}, "'long' is no duration"),
        ({"name": "a b"}, "a store cannot be called 'a b'"),
        ({"value": None}, "clicks: None is no type of a value"),
    ],
)
def test_mistakes_are_said_at_once(arguments, message):
    with pytest.raises(TopologyError, match=message):
        StoredWindows(**{"name": "clicks", "value": int, "size": "1m", "retention": "5m"} | arguments)
