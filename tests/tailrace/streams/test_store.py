"""Stores: what is committed survives a rollback and a restart, what is not does not."""

import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.streams.state.divided_backend import DividedBackend, InMemory, open_backend
from tailrace.streams.state.memory_backend import MemoryBackend
from tailrace.streams.state.rocks_backend import OPEN_PATIENCE_S, RocksBackend
from tailrace.streams.state.store import Store


def make(backend, **options):
    return Store("numbers", backend, lambda value: str(value).encode(), lambda data: int(data), **options)


def write(store, backend, offset):
    backend.write(store.unwritten(), {("journal", 0): offset})
    store.written()


DIVIDED = InMemory(frozenset({"numbers"}), frozenset({"journal"}))


@pytest.fixture(params=["memory", "rocks", "divided"])
def backend(request, tmp_path):
    backend = {
        "memory": MemoryBackend,
        "rocks": lambda: RocksBackend(tmp_path),
        "divided": lambda: DividedBackend(RocksBackend(tmp_path), DIVIDED),
    }[request.param]()
    yield backend
    backend.close()


def test_uncommitted_values_are_seen_and_forgotten_by_a_rollback(backend):
    store = make(backend)
    store.put(b"a", 1)
    store.commit()
    store.put(b"a", 2)
    store.put(b"b", 3)
    assert (store.get(b"a"), store.get(b"b")) == (2, 3)
    store.rollback()
    assert (store.get(b"a"), store.get(b"b")) == (1, None)


def test_values_and_offsets_are_found_again_in_the_backend(backend):
    store = make(backend)
    store.put(b"a", 1)
    store.put(b"b", 2)
    store.commit()
    store.put(b"c", 3)
    write(store, backend, 7)
    again = make(backend)
    assert (again.get(b"a"), again.get(b"b"), again.get(b"c")) == (1, 2, None)
    assert backend.offsets() == {("journal", 0): 7}


def test_a_deleted_value_is_gone_from_the_backend(backend):
    store = make(backend)
    store.put(b"a", 1)
    store.commit()
    write(store, backend, 1)
    store.put(b"a", None)
    store.commit()
    write(store, backend, 2)
    assert make(backend).get(b"a") is None


def test_stores_of_one_backend_do_not_see_each_other(backend):
    one, other = make(backend), Store("numbers-2", backend, str.encode, bytes.decode)
    one.put(b"a", 1)
    one.commit()
    write(one, backend, 1)
    assert other.get(b"a") is None
    assert other.get(b"2\0a") is None


def test_rocksdb_keeps_what_was_written_when_it_is_closed(tmp_path):
    backend = RocksBackend(tmp_path)
    store = make(backend)
    store.put(b"a", 1)
    store.commit()
    write(store, backend, 1)
    backend.close()
    backend = RocksBackend(tmp_path)
    assert make(backend).get(b"a") == 1
    assert backend.offsets() == {("journal", 0): 1}
    backend.close()


KEYS = [b"a", b"ab", b"b"]

steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["put", "undo"]), st.sampled_from(KEYS), st.one_of(st.none(), st.integers(0, 9))),
        st.tuples(st.sampled_from(["commit", "rollback", "write", "crash"]), st.none(), st.none()),
    )
)


@given(steps, st.booleans())
def test_a_store_behaves_as_a_dict_with_undo_commit_rollback_write_and_crash(steps, cached):
    backend = MemoryBackend()
    store, now, committed, written = make(backend, cached=cached), {}, {}, {}
    for step, key, value in steps:
        if step == "put":
            store.put(key, value)
            now[key] = value
        elif step == "undo":
            store.mark()
            store.put(key, value)
            store.undo()
        elif step == "commit":
            store.commit()
            committed = dict(now)
        elif step == "rollback":
            store.rollback()
            now = dict(committed)
        elif step == "write":
            write(store, backend, 0)
            written = dict(committed)
        else:
            store = make(backend, cached=cached)
            now, committed = dict(written), dict(written)
        assert {key: store.get(key) for key in KEYS} == {key: now.get(key) for key in KEYS}
        there = sorted((key, value) for key, value in now.items() if value is not None)
        assert list(store.range(b"", None)) == there
        for start in (b"", b"a\0", b"ab", b"c"):
            assert store.first(start) == next((key for key, _ in there if key >= start), None)
        assert dict(store.committed_range(b"", None)) == {
            k: value for k, value in committed.items() if value is not None
        }
        assert list(store.range(b"ab", b"b")) == [(b"ab", now.get(b"ab"))] * (now.get(b"ab") is not None)


def test_old_values_are_found_after_the_cache_has_turned_over(monkeypatch):
    monkeypatch.setattr("tailrace.streams.state.store.CACHED_VALUES", 10)
    backend = MemoryBackend()
    store = make(backend)
    for number in range(100):
        store.put(b"%d" % number, number)
        store.commit()
        write(store, backend, number)
    assert [store.get(b"%d" % number) for number in range(100)] == list(range(100))


def test_a_folder_is_opened_again_when_nobody_reads_in_it_any_more(tmp_path):
    backend = RocksBackend(tmp_path)
    backend.write([(b"a", b"1"), (b"b", b"2")], {})
    entries = backend.range(b"a", b"c")
    next(entries)
    backend.close()
    reading, read = threading.Event(), []

    def go_on():
        nonlocal entries
        reading.set()
        time.sleep(0.2)
        read.extend(entries)
        entries = None

    reader = threading.Thread(target=go_on)
    reader.start()
    assert reading.wait(60)
    again = RocksBackend(tmp_path)
    reader.join()
    assert read == [(b"b", b"2")]
    assert again.get(b"a") == b"1"
    again.close()


def test_a_folder_that_another_process_has_is_not_waited_for(tmp_path):
    program = "import sys; from rocksdict import Rdict; db = Rdict(sys.argv[1]); print('open', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()
        begun = time.monotonic()
        with pytest.raises(Exception, match=r"(?i)lock"):
            RocksBackend(tmp_path)
        assert time.monotonic() - begun < OPEN_PATIENCE_S
        other.stdin.close()


def test_a_store_that_is_not_cached_keeps_nothing_in_memory_that_is_written():
    backend = MemoryBackend()
    store = make(backend, cached=False)
    store.put(b"a", 1)
    store.commit()
    write(store, backend, 0)
    assert (store.get(b"a"), store.get(b"b"), store.cached_count, store.unwritten_count) == (1, None, 0, 0)


def test_a_folder_that_is_opened_again_has_the_settings_that_it_was_made_with(tmp_path):
    def settings():
        RocksBackend(tmp_path).close()
        newest = max(tmp_path.glob("OPTIONS-*"))
        return newest.read_text().partition('[CFOptions "default"]')[2]

    made = settings()
    assert "filter_policy=bloomfilter" in made
    assert settings() == made


@given(
    st.lists(
        st.one_of(
            st.lists(st.tuples(st.integers(0, 9), st.one_of(st.none(), st.integers(0, 9))), max_size=4),
            st.tuples(st.integers(0, 10), st.integers(0, 10)),
        )
    )
)
def test_memory_gives_what_is_there_in_order(steps):
    backend, model = MemoryBackend(), {}
    for step in steps:
        if isinstance(step, list):
            entries = [(b"%d" % key, None if value is None else b"%d" % value) for key, value in step]
            backend.write(entries, {})
            model |= dict(entries)
        else:
            start, end = (bytes([ord("0") + place]) for place in step)
            expected = [(k, v) for k, v in sorted(model.items()) if v is not None and start <= k < end]
            found, keys = backend.range(start, end), backend.keys(start, end)
            backend.write([(key, None) for key in model], {})  # of which they do not take notice
            backend.write(model.items(), {})
            assert (list(found), list(keys)) == (expected, [key for key, _ in expected])


def test_a_folder_forgets_what_is_in_memory_now_and_nothing_else(tmp_path):
    def opened(*names):
        in_memory = InMemory(frozenset(names), frozenset(f"{name}-topic" for name in names))
        return open_backend(tmp_path, in_memory)

    def write(backend, value):
        entries = [(b"%b\0key" % name, value) for name in (b"a", b"b", b"ab")]
        backend.write(entries, {(f"{name}-topic", 0): int(value) for name in ("a", "b")})

    def content(backend):
        values = [backend.get(b"%b\0key" % name) for name in (b"a", b"b", b"ab")]
        offsets = backend.offsets()
        backend.close()
        return [*values, offsets.get(("a-topic", 0)), offsets.get(("b-topic", 0))]

    backend = opened()
    write(backend, b"1")
    assert content(backend) == [b"1", b"1", b"1", 1, 1]
    backend = opened("a")
    assert [backend.get(b"a\0key"), *backend.offsets()] == [None, ("b-topic", 0)]
    write(backend, b"2")
    assert content(backend) == [b"2", b"2", b"2", 2, 2]
    assert content(opened()) == [None, b"2", b"2", None, 2]


def test_what_is_in_memory_only_leaves_the_age_of_the_folder_alone(tmp_path):
    backend = open_backend(tmp_path, InMemory(frozenset({"a"}), frozenset({"a-topic"})))
    backend.write([(b"a\0key", b"1")], {("a-topic", 0): 1})
    assert (backend.written_at_ms(), backend.size().entries) == (0, 1)
    backend.write([(b"b\0key", b"1")], {("b-topic", 0): 1})
    assert backend.written_at_ms() > 0
    assert backend.size().entries >= 2
    backend.close()
