"""Queries: tables by their own keys, committed values only, from any thread."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.streams import (
    Hopping,
    Queries,
    Sessions,
    Stored,
    StoredSessions,
    StoredWindows,
    Topology,
    TopologyError,
    Tumbling,
    Windowed,
    assignment,
)
from tailrace.streams.state.memory_backend import MemoryBackend
from tailrace.streams.state.store import Store
from tailrace.testing.topology_driver import TopologyDriver
from tests.tailrace.streams.application import Application


class Mean:
    """What is kept is not what is passed on."""

    def initial(self):
        return (0, 0)

    def add(self, aggregate, value):
        return aggregate[0] + 1, aggregate[1] + value

    def result(self, aggregate):
        return aggregate[1] / aggregate[0]


def asked(make):
    """A driver, and a query of the table that `make` makes of a stream of numbers."""
    topology = Topology("app")
    table = make(topology, topology.stream("numbers", int))
    driver = TopologyDriver(topology)
    return driver, driver.queries().of(table)


def test_a_table_gives_its_committed_values():
    driver, counts = asked(lambda _, numbers: numbers.group_by_key().count())
    for key in ("b", "a", "b", "c"):
        driver.pipe("numbers", key, 1)
    driver.pipe("numbers", "a", 1, commit=False)
    assert (counts.get("a"), counts.get("b"), counts.get("z")) == (1, 2, None)
    assert list(counts.all()) == [("a", 1), ("b", 2), ("c", 1)]
    driver.commit()
    assert list(counts.range("a", "b")) == [("a", 2), ("b", 2)]
    driver.write()
    driver.pipe("numbers", "bb", 1)
    assert list(counts.range("b")) == [("b", 2), ("bb", 1), ("c", 1)]


def test_an_aggregate_gives_its_result():
    driver, means = asked(lambda _, numbers: numbers.group_by_key().aggregate(Mean()))
    driver.pipe("numbers", "a", 1)
    driver.pipe("numbers", "a", 2)
    assert means.get("a") == 1.5
    assert list(means.all()) == [("a", 1.5)]


def test_tables_of_topics_and_of_streams_can_be_asked():
    driver, limits = asked(lambda topology, numbers: (numbers.foreach(print), topology.table("limits", int))[1])
    driver.pipe("limits", "a", 5)
    assert (limits.get("a"), list(limits.all())) == (5, [("a", 5)])
    driver.pipe("limits", "a", None)
    assert (limits.get("a"), list(limits.all())) == (None, [])
    driver, latest = asked(lambda _, numbers: numbers.to_table())
    driver.pipe("numbers", "a", 7)
    assert (latest.get("a"), list(latest.all())) == (7, [("a", 7)])


def test_cogrouped_streams_can_be_asked():
    def both(topology, numbers):
        others = topology.stream("others", int).group_by_key()
        added = numbers.group_by_key().cogroup(lambda total, value: total + value)
        return added.cogroup(others, lambda total, value: total - value).aggregate(0)

    driver, totals = asked(both)
    driver.pipe("numbers", "a", 7)
    driver.pipe("others", "a", 2)
    assert (totals.get("a"), list(totals.all())) == (5, [("a", 5)])


def test_windows_can_be_asked_for_while_they_are_open():
    driver, counts = asked(lambda _, numbers: numbers.group_by_key().windowed_by(Hopping(20, 10)).count())
    for key, time in (("a", 105), ("b", 107), ("a", 111)):
        driver.pipe("numbers", key, 1, timestamp=time)
    windows = [(Windowed("a", 100, 120), 2), (Windowed("a", 110, 130), 1)]
    assert list(counts.fetch("a")) == windows
    assert list(counts.fetch("a", 101, 110)) == windows[1:]
    assert list(counts.fetch("a", 0, 100)) == windows[:1]
    assert counts.get(Windowed("a", 100, 120)) == 2
    assert counts.get(Windowed("a", 90, 110)) is None
    assert list(counts.all()) == [windows[0], (Windowed("b", 100, 120), 1), windows[1]]
    assert list(counts.range(Windowed("b", 100, 120), Windowed("a", 110, 130))) == list(counts.all())[1:]


def test_sessions_can_be_asked_for_while_they_are_open():
    driver, counts = asked(lambda _, numbers: numbers.group_by_key().windowed_by(Sessions(10, grace=100)).count())
    for key, time in (("a", 100), ("b", 104), ("a", 105), ("a", 150)):
        driver.pipe("numbers", key, 1, timestamp=time)
    sessions = [(Windowed("a", 100, 106), 2), (Windowed("a", 150, 151), 1)]
    assert list(counts.fetch("a")) == sessions
    assert list(counts.fetch("a", 101, 150)) == sessions[1:]
    assert counts.get(Windowed("a", 100, 106)) == 2
    assert counts.get(Windowed("a", 100, 107)) is None
    assert list(counts.all()) == [*sessions, (Windowed("b", 104, 105), 1)]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 60), st.booleans(), st.booleans()), max_size=25))
def test_windows_are_those_that_were_counted(steps):
    driver, counts = asked(lambda _, n: n.group_by_key().windowed_by(Tumbling(10, grace=100)).count())
    model = {}
    for key, time, is_written, is_committed in steps:
        driver.pipe("numbers", key, 1, timestamp=time, commit=is_committed)
        if is_committed:
            window = Windowed(key, time - time % 10, time - time % 10 + 10)
            model[window] = model.get(window, 0) + 1
        else:
            driver.rollback()
        if is_written:
            driver.write()
    assert dict(counts.all()) == model
    for key in "abc":
        assert dict(counts.fetch(key, 10, 40)) == {
            window: count for window, count in model.items() if window.key == key and 10 <= window.start <= 40
        }


def test_what_is_not_kept_cannot_be_asked():
    with pytest.raises(TopologyError, match="map-values-1 is not kept"):
        asked(lambda _, numbers: numbers.group_by_key().count().map_values(lambda count: count + 1))
    _, counts = asked(lambda _, numbers: numbers.group_by_key().count())
    with pytest.raises(TypeError, match="has no windows"):
        list(counts.fetch("a"))


LAST = Stored("last", int)
RECENT = Stored("recent", int, ttl=100)
CLICKS = StoredWindows("clicks", int, size=10, retention=100)
VISITS = StoredSessions("visits", int, retention=100)


class Keeping:
    """Puts each number into a store of each kind."""

    def __init__(self, context):
        self._context = context
        self._last, self._recent = context.store(LAST), context.store(RECENT)
        self._clicks, self._visits = context.store(CLICKS), context.store(VISITS)

    def process(self, key, value):
        time = self._context.timestamp
        self._last.put(key, value)
        self._recent.put(key, value)
        self._clicks.put(key, value, time - time % 10)
        self._visits.put(Windowed(key, time, time + 5), value)


def kept():
    topology = Topology("app")
    topology.stream("numbers", int).process(Keeping, stores=[LAST, RECENT, CLICKS, VISITS])
    return TopologyDriver(topology)


def test_what_a_processor_keeps_can_be_asked():
    driver = kept()
    queries = driver.queries()
    last, clicks, visits = queries.of(LAST), queries.of(CLICKS), queries.of(VISITS)
    for key, value, time in (("b", 1, 1003), ("a", 2, 1004), ("a", 3, 1012)):
        driver.pipe("numbers", key, value, timestamp=time)
    driver.pipe("numbers", "a", 9, timestamp=1030, commit=False)
    assert (last.get("a"), last.get("z"), list(last.all())) == (3, None, [("a", 3), ("b", 1)])
    assert list(last.range("b")) == [("b", 1)]
    windows = [(Windowed("a", 1000, 1010), 2), (Windowed("a", 1010, 1020), 3)]
    assert (list(clicks.fetch("a")), list(clicks.fetch("a", 1001, 1010))) == (windows, windows[1:])
    assert list(clicks.all()) == [windows[0], (Windowed("b", 1000, 1010), 1), windows[1]]
    assert (clicks.get(Windowed("a", 1010, 1020)), clicks.get(Windowed("a", 1020, 1030))) == (3, None)
    sessions = [(Windowed("a", 1004, 1009), 2), (Windowed("a", 1012, 1017), 3)]
    assert (list(visits.fetch("a")), list(visits.fetch("a", 1005, 1012))) == (sessions, sessions[1:])
    assert list(visits.all()) == [*sessions, (Windowed("b", 1003, 1008), 1)]
    assert (visits.get(Windowed("b", 1003, 1008)), visits.get(Windowed("b", 1003, 1009))) == (1, None)
    driver.commit()
    assert last.get("a") == 9


@pytest.mark.parametrize("stored", [RECENT, CLICKS, VISITS])
def test_what_a_processor_keeps_expires_for_others_when_its_time_is_committed(stored):
    driver = kept()
    query = driver.queries().of(stored)
    driver.pipe("numbers", "a", 1, timestamp=1000)
    driver.write()
    driver.pipe("numbers", "b", 2, timestamp=1200, commit=False)
    assert [value for _, value in query.all()] == [1]
    driver.commit()
    assert [value for _, value in query.all()] == [2]


def test_what_has_expired_but_is_not_deleted_yet_is_nothing_to_others():
    topology = Topology("app")
    stored = Stored("recent", int, ttl="1h")

    class Putting:
        def __init__(self, context):
            self._put = context.store(stored).put

        def process(self, key, value):
            self._put(key, value)

    topology.stream("numbers", int).process(Putting, stores=[stored])
    driver = TopologyDriver(topology)
    for key, time in (("a", 7_300_000), ("b", 7_300_000 + 3_600_000)):
        driver.pipe("numbers", key, 1, timestamp=time)
    assert len(driver.contents()["recent"]) == 2
    recent = driver.queries().of(stored)
    assert (recent.get("a"), list(recent.all()), list(recent.range("a", "a"))) == (None, [("b", 1)], [])


def test_a_global_table_can_be_asked():
    topology = Topology("app")
    topology.stream("numbers", int).foreach(print)
    limits = topology.global_table("limits", int)
    driver = TopologyDriver(topology)
    for key, limit in (("b", 1), ("a", 2), ("c", 3), ("b", None)):
        driver.pipe("limits", key, limit)
    asked = driver.queries().of(limits)
    assert (asked.get("a"), asked.get("b")) == (2, None)
    assert (list(asked.all()), list(asked.range("b"))) == ([("a", 2), ("c", 3)], [("c", 3)])
    assert list(Queries().of(limits).all()) == []
    with pytest.raises(TypeError, match="limits has no windows"):
        list(asked.fetch("a"))


def test_a_store_that_is_not_here_is_empty():
    queries = kept().queries()
    assert queries.of(Stored("other", int)).get("a") is None
    assert list(queries.of(StoredWindows("other", int, size=1, retention=1)).fetch("a")) == []
    assert list(Queries().of(LAST).all()) == []
    with pytest.raises(TopologyError, match="'last' is no store; expected Stored, StoredWindows or StoredSessions"):
        queries.of("last")
    with pytest.raises(TypeError, match="last has no windows"):
        list(queries.of(LAST).fetch("a"))


def test_a_store_that_is_let_go_of_while_it_is_read_is_not_here_any_more():
    class Task:
        partition = 0

        def committed(self, name):
            return self if name == "counts" else None

    def closes(_):
        tasks.clear()
        raise RuntimeError("closed")

    def fails(_):
        raise RuntimeError("wrong")

    queries, tasks = Queries(), [Task()]
    queries.attach(lambda: tasks)
    assert queries.read("counts", 0, lambda reader: reader is tasks[0])
    assert queries.read("counts", 1, fails) is None
    assert queries.read("others", 0, fails) is None
    with pytest.raises(RuntimeError, match="wrong"):
        queries.read("counts", 0, fails)
    assert queries.read("counts", 0, closes) is None


def test_a_global_table_that_is_let_go_of_while_it_is_read_is_not_here_any_more():
    class Table:
        store = Store("limits", MemoryBackend(), bytes, bytes)

    def closes(_):
        tables.clear()
        raise RuntimeError("closed")

    def fails(_):
        raise RuntimeError("wrong")

    queries, tables = Queries(), {"limits": Table}
    queries.attach(list, lambda: tables)
    assert queries.read_global("limits", lambda reader: reader.get(b"a") is None)
    assert queries.read_global("others", fails) is None
    with pytest.raises(RuntimeError, match="wrong"):
        queries.read_global("limits", fails)
    assert queries.read_global("limits", closes) is None


def counting(name, prefix):
    topology = Topology(name)
    counts = topology.stream(f"{prefix}lines", bytes).group_by_key().count(store="lines")
    counts.to(f"{prefix}counts")
    topology.counts = counts
    return topology


def test_other_threads_see_all_keys_between_the_instances_and_none_ever_goes_back(engine, unique, tmp_path):
    application = Application(engine.bootstrap_servers, unique("queried"), tmp_path, counting)
    tables = {}
    for name in ("1", "2"):
        tables[name] = Queries()
    watched = {name: queries.of(application.topology.counts) for name, queries in tables.items()}
    seen, wrong, stop = {}, [], threading.Event()

    def watch():
        while not stop.is_set():
            for name, table in watched.items():
                for key, count in table.all():
                    if count < seen.get((name, key), 0):
                        wrong.append((name, key, count))
                    seen[name, key] = count

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    with application.start("1", queries=tables["1"]), application.start("2", queries=tables["2"]):
        for _ in range(20):
            for number in range(300):
                application.producer.produce(f"{application.prefix}lines", b"", key=f"k{number % 30}")
            application.producer.flush(60)
        application.wait_for_records(f"{application.prefix}counts", 6_000)
        while True:
            held = {name: dict(table.all()) for name, table in watched.items()}
            if sum(map(sum, (each.values() for each in held.values()))) == 6_000:
                break
        assert held["1"].keys().isdisjoint(held["2"])
        assert held["1"] | held["2"] == {f"k{number}": 200 for number in range(30)}
        assert all(watched[name].get(key) == 200 for name in held for key in held[name])
    stop.set()
    watcher.join(60)
    assert wrong == []
    assert list(watched["1"].all()) == list(watched["2"].all()) == []


def test_state_that_is_being_restored_is_not_seen(broker, unique, tmp_path, monkeypatch):
    application = Application(broker.bootstrap_servers, unique("restored"), tmp_path, counting)
    application.producer.produce(f"{application.prefix}lines", b"", key="a")
    application.producer.flush(60)
    with application.start("1"):
        application.wait_for_records(f"{application.prefix}counts", 1)
    queries, seen, restore = Queries(), [], assignment.restore

    def restoring(*arguments):
        folded = restore(*arguments)
        seen.append(queries.tasks())
        return folded

    monkeypatch.setattr(assignment, "restore", restoring)
    with application.start("2", queries=queries):
        assert seen[-1] == []
        assert queries.of(application.topology.counts).get("a") == 1
