"""The HTTP server for monitoring: `/metrics` for Prometheus, `/ready` for whoever waits for the broker.

It has a thread of its own, so that it answers while the broker recovers; the numbers are taken in the event loop, where
nothing changes meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswer
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

from tailrace.broker.metrics.exposition import CONTENT_TYPE, exposition
from tailrace.broker.metrics.readings import PREFIX, Reading, read
from tailrace.listening import take_address

if TYPE_CHECKING:
    from tailrace.broker.broker import Broker

ANSWER_WITHIN_S = 2.0
TEXT = "text/plain; charset=utf-8"
READY = "ready"
T = TypeVar("T")


class MetricsServer(ThreadingHTTPServer):
    """Serves from `start` to `close`. Raises AddressUnavailable."""

    daemon_threads = True

    def __init__(self, host: str, port: int, loop: asyncio.AbstractEventLoop) -> None:
        taken = take_address(host, port)
        self.address_family = taken.family
        super().__init__((host, port), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = taken
        self.server_address = taken.getsockname()
        self.state = "recovering"
        self._loop = loop
        self._broker: Broker | None = None
        self._thread = Thread(target=self.serve_forever, name="metrics", daemon=True)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self.socket.getsockname()[1])

    def start(self) -> None:
        """Answer from now on; the broker is recovering."""
        self.server_activate()
        self._thread.start()

    def serve(self, broker: Broker) -> None:
        """The broker is ready."""
        self.state, self._broker = READY, broker

    def stop_serving(self) -> None:
        """The broker is about to end."""
        self.state, self._broker = "stopping", None

    def close(self) -> None:
        """End the thread, then close the socket; a thread that went on would wait for whichever file has its number."""
        self.shutdown()
        self._thread.join()
        self.server_close()

    def readings(self) -> list[Reading]:
        """The broker's metrics; only whether it is ready when it is not. Raises NoAnswer when its loop is busy."""
        broker = self._broker
        ready = Reading(PREFIX + "ready", "gauge", "Whether it serves clients.", (), [((), int(broker is not None))])
        return [ready] if broker is None else [ready, *self._in_loop(partial(read, broker))]

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
        return taken.result(ANSWER_WITHIN_S)


class _Handler(BaseHTTPRequestHandler):
    server: MetricsServer
    server_version = "tailrace"
    timeout = 10

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        try:
            if path == "/metrics":
                self._answer(HTTPStatus.OK, exposition(self.server.readings()), CONTENT_TYPE)
            elif path == "/ready":
                self._answer_ready()
            else:
                self._answer(HTTPStatus.NOT_FOUND, b"there is /metrics and /ready\n")
        except NoAnswer:
            text = f"the broker did not answer within {ANSWER_WITHIN_S:g} s\n"
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, text.encode())

    do_HEAD = do_GET  # noqa: N815 - the library's name

    def _answer_ready(self) -> None:
        state = self.server.check()
        status = HTTPStatus.OK if state == READY else HTTPStatus.SERVICE_UNAVAILABLE
        self._answer(status, f"{state}\n".encode())

    def _answer(self, status: HTTPStatus, body: bytes, content_type: str = TEXT) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing is logged for a request."""
