"""Memory for requests: what is being received or made durable, of all connections together, is bounded.

A request that does not fit waits, and its connection is not read meanwhile. While nothing is in flight any request is
let in, however large, so that there is no request that waits for ever.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class InFlight:
    """Counts bytes; who comes first is let in first. `soon` runs what is let in later, in the event loop."""

    def __init__(self, max_bytes: int, soon: Callable[[Callable[[], None]], object]) -> None:
        self.bytes = 0
        self._max_bytes = max_bytes
        self._soon = soon
        self._waiting: deque[tuple[int, Callable[[], None]]] = deque()

    def take(self, size: int, let_in: Callable[[], None]) -> bool:
        """Let a request in, or run `let_in` when its turn has come and it is in."""
        if self._waiting or not self._fits(size):
            self._waiting.append((size, let_in))
            return False
        self.bytes += size
        return True

    def give_back(self, size: int) -> None:
        """A request is done, or its connection is gone."""
        self.bytes -= size
        while self._waiting and self._fits(self._waiting[0][0]):
            size, let_in = self._waiting.popleft()
            self.bytes += size
            self._soon(let_in)

    def _fits(self, size: int) -> bool:
        return self.bytes == 0 or self.bytes + size <= self._max_bytes


class Claim:
    """What one connection holds for its next request, which may still be arriving; `on_let_in` ends waiting for it.

    `open_bytes` is what its requests hold that are handled and not done.
    """

    def __init__(self, in_flight: InFlight, on_let_in: Callable[[], None]) -> None:
        self.is_waiting = False
        self.open_bytes = 0
        self._in_flight = in_flight
        self._on_let_in = on_let_in
        self._bytes = 0
        self._is_over = False

    def take(self, size: int) -> bool:
        """Whether there is memory for the next request, of `size` bytes; if not, it is waited for."""
        if not self._bytes and not self.is_waiting:
            self.is_waiting = not self._in_flight.take(size, lambda: self._let_in(size))
            self._bytes = 0 if self.is_waiting else size
        return not self.is_waiting

    def hand_over(self) -> int:
        """The request is handled now: whoever does so gives back what it holds."""
        size, self._bytes = self._bytes, 0
        self.open_bytes += size
        return size

    def give_back(self, size: int) -> None:
        """A request is done."""
        self.open_bytes -= size
        if size:
            self._in_flight.give_back(size)

    def end(self) -> None:
        """The connection is gone."""
        self._is_over = True
        self.give_back(self.hand_over())

    def _let_in(self, size: int) -> None:
        self.is_waiting = False
        if self._is_over:
            self._in_flight.give_back(size)
        else:
            self._bytes = size
            self._on_let_in()
