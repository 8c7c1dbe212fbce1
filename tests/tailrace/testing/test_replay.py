"""Golden replay: the same input gives the same bytes, and a difference is named."""

import threading

import pytest

from tailrace.client import Topic, ensure_topics, producer
from tailrace.streams import Emit, StreamsConfig, Topology, Tumbling, run
from tailrace.streams.state.rocks_backend import RocksBackend
from tailrace.testing.replay import Recorded, check_golden, load, record, replay, save

START_MS = 1_700_000_000_000
FOR_EVER = {"retention.ms": "-1"}


def topology(name="golden", prefix="", factor=1):
    built = Topology(name)
    names = built.table(f"{prefix}names", str)
    orders = built.stream(f"{prefix}orders", int)
    orders.map_values(lambda v: v * factor, value=int).to(f"{prefix}scaled")
    orders.left_join(names, lambda order, name: f"{order}:{name}").to(f"{prefix}named", str)
    windows = orders.group_by_key().windowed_by(Tumbling("1s"), emit=Emit.CLOSE)
    windows.count(store="windows").to(f"{prefix}counts")
    orders.select_key(lambda v: str(v % 3)).group_by_key().count(store="thirds").to(f"{prefix}thirds")
    return built


def records(prefix=""):
    values = [("names", b"a", b"Ann", 0), ("orders", b"a", 1, 10), ("orders", b"b", 2, 20), ("names", b"b", b"Bob", 30)]
    values += [("orders", key, number, 40 + 300 * number) for number in range(20) for key in (b"a", b"b")]
    return [
        Recorded(
            f"{prefix}{topic}",
            key,
            value if isinstance(value, bytes) else value.to_bytes(8, "big"),
            START_MS + time,
            [("from", b"here")] if time == 10 else None,
        )
        for topic, key, value, time in values
    ]


def test_a_replay_gives_outputs_and_state_every_time_the_same():
    found = replay(topology(), records())
    assert found == replay(topology(), records())
    topics = {each.topic for each in found}
    assert {"scaled", "named", "counts", "thirds", "store names", "store thirds", "golden-thirds-changelog"} <= topics
    assert Recorded("named", b"a", b"1:Ann", START_MS + 10) in found
    assert Recorded("named", b"b", b"2:None", START_MS + 20) in found
    thirds = {each.key: each.value[-1] for each in found if each.topic == "store thirds"}
    assert thirds == {b"0": 14, b"1": 15, b"2": 13}


def test_what_has_changed_is_named(tmp_path):
    golden = tmp_path / "golden.jsonl"
    with pytest.raises(AssertionError, match="does not exist"):
        check_golden(topology(), records(), golden)
    check_golden(topology(), records(), golden, update=True)
    check_golden(topology(), records(), golden)
    assert difference(golden, topology(factor=2)) == ("'scaled'", "'scaled'")
    save(load(golden)[:-1], golden)
    assert difference(golden, topology()) == ("expected nothing more", "'store windows'")


def difference(golden, built):
    """Which topics are expected and found where a golden file differs first."""
    with pytest.raises(AssertionError, match="expected") as failure:
        check_golden(built, records(), golden)
    return tuple(line.split("topic=")[-1].split(",")[0].strip() for line in str(failure.value).splitlines()[1:])


def test_a_file_keeps_records_as_they_are(tmp_path):
    different = [Recorded("t", None, None), Recorded("t", b"\xff\0", b"\n", 5, [("h", None), ("h", b"\x80")])]
    save(different, tmp_path / "file")
    assert load(tmp_path / "file") == different
    assert len((tmp_path / "file").read_bytes().splitlines()) == 2


def test_a_replay_gives_what_the_cluster_gave(engine, unique, tmp_path):
    """Byte for byte, outputs and state, of topics of one partition: all but the changelogs' times."""
    name, prefix, address = unique("golden"), unique("golden-"), engine.bootstrap_servers
    built = topology(name, prefix)
    ensure_topics(address, [Topic(topic, 1, FOR_EVER) for topic in built.topics()])
    sender = producer(address)
    for each in records(prefix):
        sender.produce(each.topic, each.value, each.key, timestamp=each.timestamp, headers=each.headers)
    assert sender.flush(60) == 0
    recording = record(address, [f"{prefix}names", f"{prefix}orders"])
    assert recording == records(prefix)
    expected = replay(topology(name, prefix), recording)
    outputs = [each for each in expected if not each.topic.startswith("store ")]
    written = [each.topic for each in expected if each.topic.startswith(prefix)]
    run_until(built, address, tmp_path, sorted(set(written)), len(written))
    found = record(address, sorted({each.topic for each in outputs}))
    assert by_topic(found) == by_topic(outputs)
    state = {(each.topic.removeprefix("store "), each.key): each.value for each in expected if each not in outputs}
    assert contents(tmp_path) == state


def run_until(built, address, folder, topics, count):
    """Run until the topics have so many records, and stop cleanly."""
    stop = threading.Event()
    config = StreamsConfig(address, folder, commit_interval_ms=20)
    thread = threading.Thread(target=run, args=(built, config, stop), daemon=True)
    thread.start()
    try:
        while len(record(address, topics)) < count:
            assert thread.is_alive()
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()


def by_topic(recorded):
    """Records by topic; of a changelog only the last value of each key, since it depends on the commits how many."""
    topics = {}
    for each in recorded:
        if each.topic.endswith("-changelog"):
            topics.setdefault(each.topic, {})[each.key] = each.value
        else:
            topics.setdefault(each.topic, []).append(each)
    return topics


def contents(folder):
    """What all stores on disk hold."""
    found = {}
    for place in folder.iterdir():
        if place.name != "global":
            backend = RocksBackend(place)
            for key, value in backend.range(b"", b"\xff"):
                name, _, own = key.partition(b"\0")
                if name:
                    found[name.decode(), own] = value
            backend.close()
    return found
