"""The runtime: a topology on a cluster, until it is told to stop.

    poll a batch, and process it
    1. begin a transaction, if none is open
    2. produce the outputs
    when the input is drained, or at the latest after `commit_interval_ms`:
    3. produce the changes of state to their changelogs
    4. add the offsets of what was processed, with the time that the records had reached
    5. commit
    6. keep the state in memory
    7. write it to disk, with the offsets of its changelogs in the same write; not with every commit

Outputs, changes of state and offsets are one Kafka transaction. State is written to disk only after its commit
returned: after a crash a store is behind, never ahead, and is caught up. Whatever goes wrong with a transaction, the
work since the last commit is undone and done again.

When topics come or go that a pattern means, what was done is committed, all partitions are given back, and the group is
joined again with a new plan.
"""

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from tailrace.client import ConsumerFenced, ProducerFenced
from tailrace.streams.config import StreamsConfig
from tailrace.streams.metrics.metrics import Metrics
from tailrace.streams.metrics.serving import served
from tailrace.streams.planner import Planner
from tailrace.streams.queries import Queries
from tailrace.streams.topology import Topology
from tailrace.streams.worker import Worker

log = structlog.get_logger("tailrace.streams")

RESTART_PAUSE_S = 1.0
PYTHON_GC_THRESHOLD = (700, 10, 10)
GC_OBJECTS = 100_000


def run(
    topology: Topology,
    config: StreamsConfig,
    stop: threading.Event,
    on_running: Callable[[], None] = lambda: None,
    *,
    queries: Queries | None = None,
    metrics: Metrics | None = None,
) -> None:
    """Run a topology until `stop` is set; `on_running` is called at each assignment, when state is caught up.

    `queries` shows its tables to other threads, `metrics` its metrics.

    Raises TopologyError for partition counts that do not fit, LookupError for missing topics, BrokerUnreachable,
    AddressUnavailable for a metrics port, and whatever an operator raises: the caller ends the process then, and a new
    one does the work again.
    """
    metrics = metrics or Metrics()
    metrics.identity = topology.name, config.instance
    with served(metrics, config.metrics_port), _rare_collections():
        try:
            _run(Planner(topology, config), config, stop, on_running, queries, metrics)
        finally:
            metrics.state = "stopped"


def _run(
    planner: Planner,
    config: StreamsConfig,
    stop: threading.Event,
    on_running: Callable[[], None],
    queries: Queries | None,
    metrics: Metrics,
) -> None:
    is_careful = False
    while not stop.is_set():
        try:
            worker = Worker(planner, config, stop, on_running, metrics, is_careful=is_careful)
            if queries is not None:
                queries.attach(worker.tasks)
            worker.run()
        except (ConsumerFenced, ProducerFenced) as fenced:
            log.warning(
                "starting over from what is committed", application=planner.plan.application, reason=str(fenced)
            )
            metrics.state = "starting"
            is_careful = isinstance(fenced, ProducerFenced) and fenced.may_be_refusal
            stop.wait(RESTART_PAUSE_S)


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Have Python look for garbage in cycles after many batches, not several times in each, unless told otherwise.

    A batch is thousands of objects that are gone with it and have no cycles; looking at all of them took 7 % of the
    time.
    """
    before = gc.get_threshold()
    if before == PYTHON_GC_THRESHOLD:
        gc.set_threshold(GC_OBJECTS, *before[1:])
    yield
    gc.set_threshold(*before)
