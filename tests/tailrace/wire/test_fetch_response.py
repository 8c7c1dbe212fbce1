"""Fetch responses encoded by hand, against the general encoder, which is tested against kio."""

from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from tailrace.wire.fetch_response import FetchedPartition, encode_fetch_response
from tailrace.wire.messages import encode_response

INT32, INT64 = st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1)
PARTITIONS = st.builds(
    FetchedPartition,
    partition=INT32,
    error_code=st.integers(-1, 100),
    high_watermark=INT64,
    last_stable_offset=INT64,
    log_start_offset=INT64,
    aborted=st.none() | st.lists(st.tuples(INT64, INT64), max_size=200),
    records=st.binary() | st.binary(min_size=127, max_size=200),
)
TOPICS = st.lists(st.tuples(st.text(max_size=150), st.uuids(), st.lists(PARTITIONS, max_size=5)), max_size=3)


def as_dictionary(partition: FetchedPartition) -> dict[str, Any]:
    aborted = partition.aborted
    return {
        "partition_index": partition.partition,
        "error_code": partition.error_code,
        "high_watermark": partition.high_watermark,
        "last_stable_offset": partition.last_stable_offset,
        "log_start_offset": partition.log_start_offset,
        "aborted_transactions": None
        if aborted is None
        else [{"producer_id": producer_id, "first_offset": first} for producer_id, first in aborted],
        "records": partition.records,
    }


@given(st.integers(4, 17), INT32, TOPICS)
def test_gives_the_bytes_of_the_general_encoder(
    version: int, correlation_id: int, topics: list[tuple[str, UUID, list[FetchedPartition]]]
) -> None:
    by_id = version >= 13
    fast = encode_fetch_response(version, correlation_id, [(i if by_id else name, ps) for name, i, ps in topics])
    responses = [
        {"topic": name, "topic_id": topic_id, "partitions": [as_dictionary(partition) for partition in partitions]}
        for name, topic_id, partitions in topics
    ]
    general = encode_response("fetch", version, correlation_id, {"responses": responses})
    assert b"".join(fast) == b"".join(general)
