"""The HTTP server of an instance, in a thread of its own."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
import uvicorn

from tailrace.listening import address_of
from tailrace.streams.instances.meeting import Meeting
from tailrace.streams.metrics.metrics import Metrics
from tailrace.streams.planner import Planner
from tailrace.streams.queries import Queries
from tailrace.streams.serving.app import make_app
from tailrace.streams.serving.forwarding import Forwarding
from tailrace.streams.serving.instance_routes import instance_routes
from tailrace.streams.serving.metrics_routes import metrics_routes
from tailrace.streams.serving.table_routes import table_routes
from tailrace.streams.serving.tables import served_tables
from tailrace.streams.topology import Topology

log = structlog.get_logger("tailrace.streams")

GRACE_S = 1


@contextmanager
def serving(
    server: socket.socket,
    topology: Topology,
    planner: Planner,
    queries: Queries,
    meeting: Meeting,
    metrics: Metrics,
) -> Iterator[None]:
    """Answer queries at an address that was taken, until the block ends."""
    forwarding = Forwarding(meeting)
    tables = served_tables(topology, planner.plan, planner.partitions)
    routes = [*table_routes(tables, queries, forwarding), *instance_routes(meeting), *metrics_routes(metrics)]
    config = uvicorn.Config(
        make_app(routes, forwarding.close),
        lifespan="on",
        ws="none",
        proxy_headers=False,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=GRACE_S,
    )
    answering = uvicorn.Server(config)
    thread = threading.Thread(target=answering.run, args=([server],), name="queries", daemon=True)
    # What comes before the thread is ready waits for it.
    server.listen(128)
    thread.start()
    log.info("queries are answered", application=topology.name, address=address_of(server))
    try:
        yield
    finally:
        answering.should_exit = True
        thread.join()
