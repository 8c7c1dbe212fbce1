"""Compares a recovered broker with what its clients know."""

from __future__ import annotations

from collections import defaultdict

from tailrace.broker.broker import State
from tailrace.broker.log.partition import PartitionLog
from tailrace.broker.topics import Topic
from tailrace.wire.record_batch import (
    ControlType,
    Record,
    control_type,
    iter_records,
    parse_header,
)
from tests.tailrace.broker.durability.ledger import Ending, Ledger, SentBatch, SentTransaction
from tests.tailrace.broker.reading import batches_of, committed_records

Visible = dict[tuple[str, int], dict[bytes, Record]]
"""Committed records of each partition by their values."""


def verify(state: State, ledger: Ledger) -> None:
    """Raises AssertionError when something acknowledged is gone, or something is there that must not be."""
    visible: Visible = {}
    stored: Visible = {}
    for name, partition_count in ledger.topics.items():
        topic = state.topics.by_name(name)
        assert topic is not None, f"topic {name} was created, and is not there"
        assert len(topic.partitions) == partition_count
        for index, log in enumerate(topic.partitions):
            batches = batches_of(log, log.high_watermark)
            verify_layout(batches, log, f"{name}-{index}", is_compacted=topic.is_compacted)
            stored[name, index] = by_value(records_of(batches))
            committed = records_committed_by_markers(batches)
            visible[name, index] = by_value(committed)
            served = [record for record in committed if record.offset < log.last_stable_offset]
            assert sorted(served) == sorted(committed_records(log)), f"{name}-{index}: readers see something else"
    verify_batches(state, ledger, stored, visible)
    verify_transactions(state, ledger, visible)


def verify_layout(batches: list[bytes], log: PartitionLog, name: str, *, is_compacted: bool) -> None:
    """Offsets ascend, without a gap unless records were compacted away."""
    expected = log.log_start_offset
    for batch in batches:
        header = parse_header(batch)
        if not is_compacted and header.last_offset >= log.log_start_offset:
            assert header.base_offset <= expected, f"{name}: {header.base_offset:,} follows, expected {expected:,}"
        assert header.last_offset >= expected, f"{name}: offset {header.last_offset:,} comes twice"
        expected = header.last_offset + 1
    assert is_compacted or expected == log.high_watermark, f"{name}: {expected:,} to {log.high_watermark:,} are missing"


def records_of(batches: list[bytes]) -> list[Record]:
    """All records but markers."""
    return [record for batch in batches if not parse_header(batch).is_control for record in iter_records(batch)]


def by_value(records: list[Record]) -> dict[bytes, Record]:
    """Records by value; each may be there only once."""
    found = {record.value or b"": record for record in records}
    assert len(found) == len(records), f"a value is there twice in {sorted(record.value or b'' for record in records)}"
    return found


def records_committed_by_markers(batches: list[bytes]) -> list[Record]:
    """Records outside of transactions, and those whose producer's next marker says commit."""
    found: list[Record] = []
    undecided: dict[int, list[Record]] = defaultdict(list)
    for batch in batches:
        header = parse_header(batch)
        if not header.is_transactional:
            found += iter_records(batch)
        elif not header.is_control:
            undecided[header.producer_id] += iter_records(batch)
        else:
            records = undecided.pop(header.producer_id, [])
            found += records if control_type(batch) is ControlType.COMMIT else []
    return found


def verify_batches(state: State, ledger: Ledger, stored: Visible, visible: Visible) -> None:
    """What is stored was sent, what was acknowledged is stored where it was said, what was served is the same."""
    sent = ledger.by_value()
    for (name, index), records in stored.items():
        for value in records:
            batch = sent.get(value)
            assert batch is not None, f"{name}-{index} has {value!r}, which nobody sent"
            assert (batch.topic, batch.partition) == (name, index)
    for batch in ledger.batches:
        if batch.base_offset is not None:
            verify_acknowledged(_topic(state, batch.topic), batch, stored[batch.topic, batch.partition], visible)
    for (name, index, offset), value in ledger.served.items():
        topic = _topic(state, name)
        assert offset < topic.partitions[index].high_watermark, f"{value!r} was served and is not there"
        if not topic.is_compacted and offset >= topic.partitions[index].log_start_offset:
            assert stored[name, index][value].offset == offset


def verify_acknowledged(topic: Topic, batch: SentBatch, stored: dict[bytes, Record], visible: Visible) -> None:
    """Each record is at its offset, unless it is older than the log, aborted, or replaced by a newer one of its key."""
    assert batch.base_offset is not None
    log = topic.partitions[batch.partition]
    newer = [record.offset for record in visible[batch.topic, batch.partition].values() if record.key == batch.key]
    for offset, value in enumerate(batch.values, batch.base_offset):
        record = stored.get(value)
        if record is not None:
            assert record.offset == offset, f"{value!r} was at {offset:,} and is at {record.offset:,}"
            continue
        may_be_aborted = batch.transaction is not None and batch.transaction.ending is not Ending.COMMITTED
        may_be_compacted = topic.is_compacted and (max(newer, default=-1) > offset or may_be_aborted)
        assert offset < log.log_start_offset or may_be_compacted, f"{value!r} was acknowledged and is not there"


def verify_transactions(state: State, ledger: Ledger, visible: Visible) -> None:
    """Committed ones are visible as a whole, with their offsets; others are not, or as a whole if nobody knows."""
    batches_by_transaction: dict[SentTransaction, list[SentBatch]] = defaultdict(list)
    for batch in ledger.batches:
        if batch.transaction is not None:
            batches_by_transaction[batch.transaction].append(batch)
    last_committed: dict[str, int] = {}
    for transaction in ledger.transactions:
        values = [(value, batch) for batch in batches_by_transaction[transaction] for value in batch.values]
        found = {value: _is_visible(state, batch, value, visible) for value, batch in values}
        seen = set(found.values()) - {None}
        assert len(seen) <= 1, f"{transaction} is torn: {found}, {batches_by_transaction[transaction]}"
        is_committed = transaction.ending is Ending.COMMITTED
        if transaction.ending is Ending.COMMITTING:
            is_committed = seen == {True} or (not seen and _offset(state, transaction) == transaction.number)
        assert seen <= {is_committed}, f"{transaction} is {'not ' if is_committed else ''}visible"
        if is_committed and transaction.with_offset:
            last_committed[transaction.transactional_id] = transaction.number
    for transactional_id, number in last_committed.items():
        row = state.offsets.committed.get(transactional_id, {}).get(("plain", 0))
        assert row is not None, f"the offset {number} of {transactional_id} was committed and is not there"
        assert row[2] == number, f"the offset of {transactional_id} is {row[2]}, expected {number}"


def _is_visible(state: State, batch: SentBatch, value: bytes, visible: Visible) -> bool | None:
    """Whether a committed record can be read; None when it may have been compacted away or given up."""
    if value in visible[batch.topic, batch.partition]:
        return True
    topic = _topic(state, batch.topic)
    if topic.is_compacted or topic.partitions[batch.partition].log_start_offset:
        return None
    return False


def _offset(state: State, transaction: SentTransaction) -> int | None:
    row = state.offsets.committed.get(transaction.transactional_id, {}).get(("plain", 0))
    return None if row is None else row[2]


def _topic(state: State, name: str) -> Topic:
    topic = state.topics.by_name(name)
    assert topic is not None
    return topic
