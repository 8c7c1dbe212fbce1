"""Values that expire: gone for readers from the record that passes their time, and deleted soon after."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.registry.errors import SerdeError
from tailrace.streams import Stored, Topology, TopologyError
from tailrace.streams.plan import Plan
from tailrace.streams.state.expiry import STEPS
from tailrace.streams.state.time_to_live import TimedSerde
from tailrace.streams.types import PLAIN
from tailrace.testing.topology_driver import TopologyDriver
from tests.tailrace.streams.disturbed import JSON, Acting, check_undisturbed, disturbances, driven, moments

TTL = 10 * STEPS
HOURS = 10 * 3_600_000
LAST = Stored("last", int, ttl=TTL)


def act(store, key, value=None):
    if value == "delete":
        store.delete(key)
    elif value is not None:
        store.put(key, value)


def see(store):
    everything = dict(store.all())
    assert {key: store.get(key) for key in everything} == everything
    assert all((store.get(key) is None) == (key not in everything) for key in "abc")
    assert dict(store.range("a", "b")) == {key: value for key, value in everything.items() if key in "ab"}
    return everything


def make():
    return driven(LAST, act, see)


def seen(driver, *records):
    for key, value, time in records:
        driver.pipe("in", key, value, timestamp=time)
    return [value for _, value in driver.read("out")]


def test_a_value_is_gone_from_the_record_that_passes_its_time_on():
    driver = make()
    assert seen(driver, ("a", [1], 1000), ("b", [2], 1000 + TTL - 1)) == [{"a": 1}, {"a": 1, "b": 2}]
    assert seen(driver, ("c", [], 1000 + TTL)) == [{"b": 2}]


def test_a_value_lives_on_when_it_is_put_again():
    driver = make()
    seen(driver, ("a", [1], 1000), ("a", [1], 1001))
    assert seen(driver, ("c", [], 1000 + TTL), ("c", [], 1001 + TTL)) == [{"a": 1}, {}]


def test_time_is_that_of_the_task_and_not_of_a_late_record():
    driver = make()
    seen(driver, ("b", [], 2000), ("a", [1], 1000))
    assert seen(driver, ("b", [], 1999 + TTL), ("b", [], 2000 + TTL)) == [{"a": 1}, {}]


def test_what_has_expired_is_deleted_from_backend_and_changelog():
    driver = make()
    seen(driver, ("a", [1], 1000), ("b", [2], 1100), ("a", [1], 1100))
    assert {name: len(entries) for name, entries in driver.contents().items()} == {"last": 2, "last-expiry": 2}
    seen(driver, ("c", [], 1109 + TTL))
    assert len(driver.contents()["last"]) == 2
    seen(driver, ("c", [], 1110 + TTL))
    assert driver.contents() == {}
    for topic in ("app-last-changelog", "app-last-expiry-changelog"):
        latest = {record.key(): record.value() for record in driver.log[topic]}
        assert set(latest.values()) == {None}


def test_a_step_of_time_and_not_each_record_looks_for_what_has_expired(monkeypatch):
    driver = driven(Stored("last", int, ttl="1h"), act, lambda store: None)
    seen(driver, *((f"k{number}", [number], HOURS + number) for number in range(100)))
    ranges = []
    monkeypatch.setattr(
        "tailrace.streams.state.store.Store.range", lambda *arguments: ranges.append(arguments) or iter(())
    )
    seen(driver, *((f"k{number}", [number], HOURS + 100 + number) for number in range(1000)))
    assert ranges == []
    seen(driver, *(("k", [0], HOURS + number * 3_600_000 // STEPS) for number in range(1, 21)))
    assert len(ranges) == 20


def test_a_key_that_goes_on_changes_its_expiry_once_in_a_step():
    driver = driven(Stored("last", int, ttl="1h"), act, lambda store: None)
    for number in range(1000):
        driver.pipe("in", "a", [number], timestamp=number * 100)
    # Of 100 seconds, steps are 56.25 seconds long.
    assert len(driver.log["app-last-expiry-changelog"]) == 3


doing = st.one_of(st.integers(0, 9).map(lambda value: [value]), st.just(["delete"]), st.just([]))
arguments = st.one_of(doing, doing, doing.map(lambda arguments: [None, *arguments]))
records = st.tuples(st.sampled_from("abc"), arguments, moments(TTL))


def expected(records):
    """By a model that knows of each value when it was put."""
    time, values, outputs = -1, {}, []
    for key, arguments, moment in records:
        if arguments[:1] == [None]:
            continue
        time = max(time, moment)
        values = {k: entry for k, entry in values.items() if entry[0] + TTL > time}
        if arguments == ["delete"]:
            values.pop(key, None)
        elif arguments:
            values[key] = (time, arguments[0])
        outputs.append({k: value for k, (_, value) in values.items()})
    return outputs


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(records, disturbances()), max_size=30))
def test_a_disturbed_run_sees_what_the_model_sees(steps):
    outputs = check_undisturbed(make, [record for record, _ in steps], [after for _, after in steps])
    assert outputs == expected([record for record, _ in steps])


@pytest.mark.parametrize("lose_state", [None, False, True])
def test_a_crash_after_others_have_moved_time_leaves_no_more_and_no_less(lose_state):
    topology = Topology("app")
    stream, others = topology.stream("in", JSON), topology.stream("others", int)
    stream.process(lambda context: Acting(context, LAST, act, see), stores=[LAST])
    others.process(lambda context: Ignoring())
    stream.merge(others).foreach(lambda value: None)
    driver = TopologyDriver(topology)
    driver.pipe("in", "a", [1], timestamp=1000)
    driver.pipe("others", "a", 1, timestamp=2000)
    driver.write()
    if lose_state is not None:
        driver.restart(lose_state=lose_state)
    driver.pipe("in", "b", [2], timestamp=1500)
    assert driver.contents().keys() == {"last", "last-expiry"}
    assert driver.contents()["last"].keys() == {b"b"}


class Ignoring:
    def process(self, key, value):
        return None


def test_what_expires_without_a_changelog_is_gone_with_its_disk():
    driver = driven(Stored("last", int, changelog=False, ttl=TTL), act, see)
    seen(driver, ("a", [1], 1000))
    driver.restart(lose_state=True)
    assert seen(driver, ("b", [2], 1000)) == [{"b": 2}]


def test_the_changelogs_are_compacted_and_keep_what_is_not_overwritten():
    topology = Topology("app")
    topology.stream("in", int).process(lambda context: None, stores=[LAST])
    topics = {topic.name: topic.config for topic in Plan(topology).internal_topics({"in": 1})}
    assert topics == {
        "app-last-changelog": {"cleanup.policy": "compact"},
        "app-last-expiry-changelog": {"cleanup.policy": "compact"},
    }


def test_values_have_their_time_before_them():
    serde = TimedSerde(PLAIN[str])
    assert serde.encode((258, "a")) == b"\0\0\0\0\0\0\1\2a"
    assert serde.decode(serde.encode((258, "a"))) == (258, "a")
    with pytest.raises(SerdeError, match="no value with a time"):
        serde.decode(b"a")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ttl": 0}, "last: ttl is 0; expected a duration above 0"),
        ({"ttl": "-1s"}, "'-1s' is no duration"),
        ({"ttl": 1.5}, "1.5 is no duration"),
        ({"key": "7d"}, "last: '7d' is no type of a key"),
        ({"value": 7}, "last: 7 is no type of a value"),
        ({"name": "a/b"}, "a store cannot be called 'a/b'"),
        ({"name": ""}, "a store cannot be called ''"),
        ({"changelog": "no"}, "last: changelog is 'no'; expected True or False"),
    ],
)
def test_mistakes_are_said_at_once(arguments, message):
    with pytest.raises(TopologyError, match=message):
        Stored(**{"name": "last", "value": int} | arguments)
