"""A log as consumers see it."""

from tailrace.broker.log.partition import PartitionLog
from tailrace.wire.record_batch import (
    ControlType,
    Record,
    control_type,
    is_intact,
    iter_headers,
    iter_records,
    parse_header,
)

READ_BYTES = 300


def batches_of(log: PartitionLog, limit: int) -> list[bytes]:
    """All batches before offset `limit`, read bit by bit."""
    found, offset = [], log.log_start_offset
    while offset < limit:
        data = log.read(offset, limit, READ_BYTES, at_least_one=True)
        if not data:
            break  # what was there has been compacted away
        for position, header in iter_headers(data):
            assert is_intact(data, position), f"a batch at offset {header.base_offset:,} is not intact"
            assert header.last_offset >= offset
            found.append(data[position : position + header.size])
            offset = header.last_offset + 1
    return found


def committed_records(log: PartitionLog) -> list[Record]:
    """What a client with `read_committed` makes of the batches and of the list of aborted transactions."""
    limit = log.last_stable_offset
    waiting = sorted(log.producers.aborted_between(log.log_start_offset, limit), key=lambda each: each.first_offset)
    aborted: set[int] = set()
    found: list[Record] = []
    for batch in batches_of(log, limit):
        header = parse_header(batch)
        while waiting and waiting[0].first_offset <= header.last_offset:
            aborted.add(waiting.pop(0).producer_id)
        if header.is_control:
            if control_type(batch) is ControlType.ABORT:
                aborted.discard(header.producer_id)
        elif not (header.is_transactional and header.producer_id in aborted):
            found += iter_records(batch)
    return found
