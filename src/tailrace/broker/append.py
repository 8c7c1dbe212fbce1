"""What handlers ask to be appended."""

from __future__ import annotations

from typing import NamedTuple

from tailrace.broker.topics import Topic


class Append(NamedTuple):
    """A batch that was found good for a partition."""

    topic: Topic
    partition: int
    batch: bytes | memoryview
