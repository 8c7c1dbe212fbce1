"""Compaction against a model: whoever reads the log from its start gets the same latest value of each key."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.broker.disk import Disk
from tailrace.broker.log import cleaner
from tailrace.broker.log.cleaner import CleaningPlan, clean
from tailrace.broker.log.partition import PartitionLog
from tailrace.wire.record_batch import (
    TRANSACTIONAL_BIT,
    ControlType,
    Record,
    control_batch,
    control_type,
    encode_batch,
    parse_header,
    relocate,
    seal,
)

from ..reading import batches_of, committed_records

RETENTION_MS = 100
PLAIN = -1


@dataclass
class History:
    """A log with a simple memory of what was written to it."""

    log: PartitionLog
    disk: Disk
    now_ms: int = 1000
    open: dict[int, list[Record]] = field(default_factory=dict)
    committed: dict[int, Record] = field(default_factory=dict)

    def append(self, batch: bytes) -> int:
        base_offset = self.log.log_end_offset
        data = relocate(batch, base_offset, 0)
        segment, position, content = self.log.append(parse_header(data), (data,))
        segment.file.write(content, position)
        self.log.advance(self.log.end())
        return base_offset

    def write(self, producer: int, records: list[tuple[bytes | None, bytes | None]], codec: int = 0) -> None:
        """A batch; by a producer in its transaction, or `PLAIN`."""
        content = [Record(n, self.now_ms, key, value) for n, (key, value) in enumerate(records)]
        if producer == PLAIN:
            base_offset = self.append(encode_batch(content, attributes=codec))
        else:
            batch = encode_batch(
                content, attributes=TRANSACTIONAL_BIT | codec, producer_id=producer, producer_epoch=0, base_sequence=0
            )
            base_offset = self.append(batch)
        written = [record._replace(offset=base_offset + record.offset) for record in content]
        if producer == PLAIN:
            self.committed |= {record.offset: record for record in written}
        else:
            self.open.setdefault(producer, []).extend(written)

    def end(self, producer: int, *, committed: bool) -> None:
        """The end of a producer's transaction, if it has one."""
        records = self.open.pop(producer, None)
        if records is not None:
            if committed:
                self.committed |= {record.offset: record for record in records}
            self.append(control_batch(ControlType.COMMIT if committed else ControlType.ABORT, producer, 0, self.now_ms))

    def clean(self) -> None:
        segments = self.log.decided_segments()
        if not segments:
            return
        plan = CleaningPlan(
            self.disk,
            "partition",
            segments,
            self.log.segments[len(segments)].base_offset,
            self.log.cleaned_until,
            list(self.log.producers.aborted),
            self.now_ms,
            RETENTION_MS,
            self.log.segment_bytes,
        )
        cleaned = clean(plan)
        assert self.log.replace_segments(segments, cleaned.segments, cleaned.cleaned_until, cleaned.forgotten)

    def latest(self, limit: int) -> dict[bytes, bytes | None]:
        """The value of each key before offset `limit`, by the memory."""
        values: dict[bytes, bytes | None] = {}
        for offset, record in sorted(self.committed.items()):
            if offset < limit and record.key is not None:
                values[record.key] = record.value
        return values


def markers(log: PartitionLog) -> list[tuple[int, ControlType]]:
    batches = batches_of(log, log.high_watermark)
    return [
        (parse_header(batch).base_offset, control_type(batch)) for batch in batches if parse_header(batch).is_control
    ]


@pytest.fixture
def history(tmp_path: Path) -> History:
    return new_history(tmp_path, 120)


def new_history(directory: Path, segment_bytes: int) -> History:
    disk = Disk(directory)
    log = PartitionLog(disk, "partition")
    log.segment_bytes = segment_bytes
    return History(log, disk)


some_records = st.lists(
    st.tuples(st.sampled_from([b"a", b"b", b"c", None]), st.none() | st.sampled_from([b"1", b"22", b"333"])),
    min_size=1,
    max_size=3,
)
some_step = st.one_of(
    st.tuples(st.just("write"), st.sampled_from([PLAIN, 1, 2]), some_records, st.sampled_from([0, 0, 1, 3])),
    st.tuples(st.just("end"), st.sampled_from([1, 2]), st.booleans()),
    st.tuples(st.just("clean"), st.sampled_from([0, RETENTION_MS // 2, RETENTION_MS, 2 * RETENTION_MS])),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(some_step, max_size=40), st.integers(80, 600), st.sampled_from([cleaner.KEY_BYTES_MAX, 1]))
def test_compaction_changes_no_key_and_no_record(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple],  # type: ignore[type-arg]
    segment_bytes: int,
    key_bytes_max: int,
) -> None:
    history = new_history(tmp_path_factory.mktemp("log"), segment_bytes)
    log = history.log
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cleaner, "KEY_BYTES_MAX", key_bytes_max)
        for step in steps:
            match step:
                case "write", producer, records, codec:
                    history.write(producer, records, codec)
                case "end", producer, committed:
                    history.end(producer, committed=committed)
                case "clean", later_ms:
                    ends = (log.log_start_offset, log.high_watermark, log.last_stable_offset)
                    history.now_ms += later_ms
                    history.clean()
                    assert ends == (log.log_start_offset, log.high_watermark, log.last_stable_offset)
            found = committed_records(log)
            assert [history.committed[record.offset] for record in found] == found
            seen = {record.key: record.value for record in found if record.key is not None}
            expected = history.latest(log.last_stable_offset)
            assert {key: value for key, value in expected.items() if value is not None} == {
                key: value for key, value in seen.items() if value is not None
            }
            assert seen.keys() <= expected.keys()
    keys = [record.key for record in committed_records(log) if record.offset < log.cleaned_until]
    assert len(keys) == len(set(keys)), "before the end of the last cleaning each key is there once"


def test_the_latest_record_of_each_key_stays_where_it_was(history: History) -> None:
    for number in range(12):
        history.write(PLAIN, [(b"ab"[number % 2 :][:1], b"%d" % number)])
    history.clean()
    end = history.log.cleaned_until
    found = [(record.offset, record.value) for record in committed_records(history.log) if record.offset < end]
    assert found == [(end - 2, b"%d" % (end - 2)), (end - 1, b"%d" % (end - 1))]
    assert history.log.log_start_offset == 0


def test_small_segments_become_one(history: History) -> None:
    for number in range(40):
        history.write(PLAIN, [(b"%d" % (number % 3), b"v")])
    before = len(history.log.segments)
    history.clean()
    assert before >= 20
    assert len(history.log.segments) <= 4


def test_a_tombstone_stays_until_its_horizon(history: History) -> None:
    history.write(PLAIN, [(b"a", b"1"), (b"b", b"1")])
    history.write(PLAIN, [(b"a", None)])
    history.write(PLAIN, [(b"c", b"x" * 200)])

    def cleaned_keys() -> list[bytes | None]:
        history.clean()
        return [record.key for record in committed_records(history.log)]

    assert cleaned_keys() == [b"b", b"a", b"c"]
    history.now_ms += RETENTION_MS - 1
    assert cleaned_keys() == [b"b", b"a", b"c"]
    history.now_ms += 1
    assert cleaned_keys() == [b"b", b"c"]


def test_an_open_transaction_replaces_nothing(history: History) -> None:
    history.write(PLAIN, [(b"a", b"committed")])
    history.write(1, [(b"a", b"open")])
    for _ in range(5):
        history.write(PLAIN, [(b"b", b"later")])
    history.clean()
    history.end(1, committed=False)
    history.write(PLAIN, [(b"b", b"x" * 200)])
    history.clean()
    assert (b"a", b"committed") in {(record.key, record.value) for record in committed_records(history.log)}


def test_markers_go_when_their_records_have_gone_and_time_has_passed(history: History) -> None:
    history.write(1, [(b"a", b"1")])
    history.end(1, committed=True)
    history.write(1, [(b"a", b"2")])
    history.end(1, committed=False)
    history.write(PLAIN, [(b"b", b"x" * 200)])
    both = [(1, ControlType.COMMIT), (3, ControlType.ABORT)]

    def clean_after(later_ms: int) -> list[tuple[int, ControlType]]:
        history.now_ms += later_ms
        history.clean()
        return markers(history.log)

    assert clean_after(0) == both
    assert clean_after(RETENTION_MS - 1) == both
    assert [each.marker_offset for each in history.log.producers.aborted] == [3]
    assert clean_after(1) == both[:1], "the committed record is there still, so is its marker"
    assert history.log.producers.aborted == []
    history.write(PLAIN, [(b"a", b"x" * 200)])
    history.write(PLAIN, [(b"b", b"x" * 200)])
    assert clean_after(0) == both[:1], "its record is gone now"
    assert clean_after(RETENTION_MS) == []


def test_a_batch_that_cannot_be_opened_stays(history: History) -> None:
    broken = bytearray(encode_batch([Record(0, 0, b"a", b"1")], attributes=4))
    broken[-5:] = b"\xff" * 5
    history.append(seal(broken))
    history.write(PLAIN, [(b"a", b"2")])
    history.write(PLAIN, [(b"b", b"x" * 200)])
    history.clean()
    [first, *_] = batches_of(history.log, 1)
    assert parse_header(first).base_offset == 0


def test_what_a_crash_left_under_the_new_name_does_no_harm(history: History) -> None:
    for number in range(8):
        history.write(PLAIN, [(b"a", b"%d" % number)])
    history.disk.open(f"partition/{0:020}.1.log").write((b"left by a crash" * 1000,), 0)
    history.clean()
    [record, *_] = committed_records(history.log)
    assert record.value == b"%d" % (history.log.cleaned_until - 1)
    assert history.log.segments[0].file.size() == history.log.segments[0].size


def test_a_log_that_lost_segments_meanwhile_is_left_alone(history: History) -> None:
    for number in range(12):
        history.write(PLAIN, [(b"a", b"%d" % number)])
    segments = history.log.decided_segments()
    history.log.move_start(segments[2].base_offset)
    assert not history.log.replace_segments(segments, [], 99, [])
    assert history.log.cleaned_until == 0
