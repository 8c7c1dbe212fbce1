"""Replies of one connection, which leave in the order of the requests, whenever they are ready."""

from __future__ import annotations

from collections import deque
from time import perf_counter

from tailrace.broker.metrics.counters import ConnectionCounters
from tailrace.wire.encoding import Parts

SASL_AUTHENTICATE = 36


class Slot:
    """The place of one reply; `parts` is None until it can be sent.

    `taken_bytes` is what the request takes of the memory for requests.
    """

    __slots__ = ("api_key", "parts", "started_s", "taken_bytes")

    def __init__(self, taken_bytes: int) -> None:
        self.api_key = SASL_AUTHENTICATE  # for tokens without a request around them
        self.started_s = perf_counter()
        self.parts: Parts | None = None
        self.taken_bytes = taken_bytes


class ReplyQueue:
    """Slots in the order of the requests; `unsent_bytes` is what the ready ones hold together."""

    def __init__(self, counters: ConnectionCounters) -> None:
        self.unsent_bytes = 0
        self._counters = counters
        self._slots: deque[Slot] = deque()

    def __len__(self) -> int:
        return len(self._slots)

    def add(self, slot: Slot) -> None:
        """A request was let in, whose reply is the next one."""
        self._slots.append(slot)

    def fill(self, slot: Slot, parts: Parts) -> None:
        """A reply is ready; no parts stand for none."""
        slot.parts = parts
        self.unsent_bytes += sum(map(len, parts))

    def take_ready(self) -> Parts:
        """The replies that can be sent now, in one go."""
        out: Parts = []
        while self._slots and self._slots[0].parts is not None:
            slot = self._slots.popleft()
            out += slot.parts or ()
            self._counters.request_seconds[slot.api_key].observe(perf_counter() - slot.started_s)
        size = sum(map(len, out))
        self.unsent_bytes -= size
        self._counters.sent_bytes += size
        return out
