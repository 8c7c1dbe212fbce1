"""What a broker's metrics server asks: numbers taken in the event loop, where nothing changes meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswer
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from tailrace.broker.metrics.readings import PREFIX, read
from tailrace.metrics.exposition import exposition
from tailrace.metrics.reading import Reading
from tailrace.metrics.server import READY

if TYPE_CHECKING:
    from tailrace.broker.broker import Broker

ANSWER_WITHIN_S = 2.0
T = TypeVar("T")


class BrokerMetrics:
    """The metrics of a broker, which recovers until `serve` is called."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.state = "recovering"
        self._loop = loop
        self._broker: Broker | None = None

    def serve(self, broker: Broker) -> None:
        """The broker is ready."""
        self.state, self._broker = READY, broker

    def stop_serving(self) -> None:
        """The broker is about to end."""
        self.state, self._broker = "stopping", None

    def text(self) -> bytes:
        """The broker's metrics; only whether it is ready when it is not. Raises NoAnswer when its loop is busy."""
        broker = self._broker
        ready = Reading(PREFIX + "ready", "gauge", "Whether it serves clients.", (), [((), int(broker is not None))])
        return exposition([ready] if broker is None else [ready, *self._in_loop(partial(read, broker))])

    def check(self) -> str:
        """The state, when the event loop turns. Raises NoAnswer when it does not."""
        state = self.state
        return self._in_loop(lambda: state) if state == READY else state

    def _in_loop(self, act: Callable[[], T]) -> T:
        taken: Future[T] = Future()

        def take() -> None:
            try:
                taken.set_result(act())
            except Exception as error:
                taken.set_exception(error)

        self._loop.call_soon_threadsafe(take)
        try:
            return taken.result(ANSWER_WITHIN_S)
        except NoAnswer:
            raise NoAnswer(f"the broker did not answer within {ANSWER_WITHIN_S:g} s") from None
