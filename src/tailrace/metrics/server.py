"""The HTTP server for monitoring: `/metrics` for Prometheus, `/ready` for whoever waits for the process.

It has threads of its own, so that it answers whatever the process is busy with.
"""

from __future__ import annotations

from concurrent.futures import TimeoutError as NoAnswer
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Protocol

from tailrace.listening import take_address
from tailrace.metrics.exposition import CONTENT_TYPE

TEXT = "text/plain; charset=utf-8"
READY = "ready"


class Source(Protocol):
    """Who is asked, in threads of the server. Raises NoAnswer for one that is too busy to answer."""

    def text(self) -> bytes:
        """The metrics in Prometheus' text format."""

    def check(self) -> str:
        """The state: `ready`, or in a word what comes before or after it."""


class MetricsServer(ThreadingHTTPServer):
    """Serves from `start` to `close`. Raises AddressUnavailable."""

    daemon_threads = True

    def __init__(self, host: str, port: int, source: Source) -> None:
        taken = take_address(host, port)
        self.address_family = taken.family
        super().__init__((host, port), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = taken
        self.server_address = taken.getsockname()
        self.source = source
        self._thread = Thread(target=self.serve_forever, name="metrics", daemon=True)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self.socket.getsockname()[1])

    def start(self) -> None:
        """Answer from now on."""
        self.server_activate()
        self._thread.start()

    def close(self) -> None:
        """End the thread, then close the socket; a thread that went on would wait for whichever file has its number."""
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: MetricsServer
    server_version = "tailrace"
    timeout = 10

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        try:
            if path == "/metrics":
                self._answer(HTTPStatus.OK, self.server.source.text(), CONTENT_TYPE)
            elif path == "/ready":
                self._answer_ready()
            else:
                self._answer(HTTPStatus.NOT_FOUND, b"there is /metrics and /ready\n")
        except NoAnswer as error:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}\n".encode())

    do_HEAD = do_GET  # noqa: N815 - the library's name

    def _answer_ready(self) -> None:
        state = self.server.source.check()
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
