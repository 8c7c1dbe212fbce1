"""Connect as a process: the worker's tasks in threads, its REST interface in the main thread."""

import signal
import socket
from threading import Event

import structlog
import uvicorn

from tailrace.connect.app import make_app
from tailrace.connect.worker import Worker

log = structlog.get_logger(__name__)

GRACE_S = 1


def serve(server: socket.socket, worker: Worker) -> None:
    """Run a worker and its REST interface until SIGTERM or SIGINT. Raises as `Worker.start` does."""
    stop = Event()
    # uvicorn takes the signals while it serves and raises them again when it has ended; then they must not end us.
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stop.set())
    worker.start(stop)
    config = uvicorn.Config(
        make_app(worker),
        lifespan="off",
        ws="none",
        proxy_headers=False,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=GRACE_S,
    )
    server.listen(128)
    host, port = server.getsockname()[:2]
    log.info("connect serves", address=f"{host}:{port}")
    if not stop.is_set():
        uvicorn.Server(config).run(sockets=[server])
    stop.set()
    worker.join()
    log.info("connect stopped")
