"""Asking a cluster for offsets: where partitions begin, end, and where a moment is."""

from collections.abc import Iterable
from typing import Any, Literal

from tailrace.commands.cluster import answers


def find_offsets(
    admin: Any,
    topic: str,
    partitions: Iterable[int],
    at: Literal["earliest", "latest", "max_timestamp"] | int,
    *,
    committed: bool,
) -> dict[int, Any]:
    """What ListOffsets answers for each partition: `offset` and `timestamp`, both -1 when there is none.

    `at`: a number is a moment in milliseconds, for the first record that is not older. `committed`: the end is the one
    for readers of committed records.
    """
    import confluent_kafka.admin
    from confluent_kafka import IsolationLevel, TopicPartition

    specs: Any = confluent_kafka.admin.OffsetSpec  # type: ignore[attr-defined]
    spec = specs.for_timestamp(at) if isinstance(at, int) else getattr(specs, at)()
    isolation = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
    asked = {TopicPartition(topic, partition): spec for partition in partitions}
    futures = admin.list_offsets(asked, isolation_level=isolation) if asked else {}
    return {asked.partition: found for asked, found in answers(futures, "offsets of").items()}
