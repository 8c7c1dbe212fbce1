"""Where answers may differ: each entry names a heading of docs/broker-compatibility.md that says why."""

from __future__ import annotations

import re
from typing import NamedTuple


class Difference(NamedTuple):
    """Rows and paths in their answers, both as patterns, and the heading of the reason."""

    rows: str
    paths: str
    heading: str


KNOWN = [
    Difference(r"create_topics: .*|describe_configs: .*", r".*min\.insync\.replicas\..*", "No replicas"),
    Difference(r"metadata: neither name nor id", r".*", "Errors that Kafka does not foresee"),
    Difference(
        r"incremental_alter_configs: retention.ms (9|-1) 1", r".*error_code", "Errors that Kafka does not foresee"
    ),
    Difference(r"produce: unknown codec", r".*(error_code|log_start_offset)", "Errors that Kafka does not foresee"),
    Difference(r"describe_topic_partitions: unknown", r".*authorized_operations", "Authorized operations"),
    Difference(r"describe_topic_partitions: bad name", r".*error_code", "Errors that Kafka does not foresee"),
    Difference(r"describe_configs: 16 'x'", r".*error_code", "No client metrics"),
    Difference(r".*: a broker config at run time", r".*error_code", "The broker's own configuration"),
    Difference(r"find_coordinator: share group", r".*", "No share groups"),
    Difference(r"describe_transactions: with offsets", r".*topics", "No internal topics"),
    Difference(r"list_transactions: open for long", r".*", "Listing transactions by age"),
    Difference(r"list_groups: .* again", r"groups", "A refused JoinGroup leaves nothing behind"),
    Difference(r"fetch: .*", r"session_id", "No fetch sessions"),
    Difference(r"api_versions: .*", r"api_keys|(supported|finalized)_features.*", "Versions and features"),
]


def known_difference(row: str, path: str) -> Difference | None:
    """The entry that explains a difference, None for one that nobody knows."""
    return next((d for d in KNOWN if re.fullmatch(d.rows, row) and re.fullmatch(d.paths, path)), None)
