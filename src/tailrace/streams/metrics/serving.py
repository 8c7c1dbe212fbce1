"""The metrics of an application by HTTP, while it runs."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from tailrace.streams.metrics.metrics import Metrics

log = structlog.get_logger("tailrace.streams")

HOST = "127.0.0.1"


@contextmanager
def served(metrics: Metrics, port: int | None) -> Iterator[None]:
    """Serve `/metrics` and `/ready`; nothing without a port. Raises AddressUnavailable."""
    if port is None:
        yield
        return
    from tailrace.metrics.server import MetricsServer

    server = MetricsServer(HOST, port, metrics)
    server.start()
    log.info("metrics", url=f"http://{HOST}:{server.port}/metrics")
    try:
        yield
    finally:
        server.close()
