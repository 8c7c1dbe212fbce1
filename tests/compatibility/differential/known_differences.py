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
    Difference(r"metadata: neither name nor id", r".*", "A request that cannot be meant"),
    Difference(r"find_coordinator: share group", r".*", "No share groups"),
    Difference(r"describe_transactions: ongoing", r".*topics", "No internal topics"),
    Difference(r"list_transactions: open for long", r".*", "Listing transactions by age"),
    Difference(r"fetch: .*", r"session_id", "No fetch sessions"),
    Difference(r"api_versions: .*", r"api_keys|(supported|finalized)_features.*", "Versions and features"),
]


def heading_of(row: str, path: str) -> str | None:
    """The heading that explains a difference, None for one that nobody knows."""
    return next((d.heading for d in KNOWN if re.fullmatch(d.rows, row) and re.fullmatch(d.paths, path)), None)
