"""What is counted while a broker works; plain numbers, changed by the event loop and read when somebody asks."""

from __future__ import annotations

from collections import defaultdict

from tailrace.metrics.histogram import COUNTS, Histogram


class ConnectionCounters:
    """Of all connections: requests with the time from their last byte to their reply, bytes, openings, refusals."""

    def __init__(self) -> None:
        self.request_seconds: defaultdict[int, Histogram] = defaultdict(Histogram)  # by API key
        self.received_bytes = 0
        self.sent_bytes = 0
        self.opened = 0
        self.closed = 0
        self.refused = 0


class CommitCounters:
    """Of the group commit: each round's time to write and sync, its frames and bytes, and each checkpoint's time."""

    def __init__(self) -> None:
        self.write_seconds = Histogram()
        self.round_frames = Histogram(COUNTS)
        self.written_bytes = 0
        self.checkpoint_seconds = Histogram()
