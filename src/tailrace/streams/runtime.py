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
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import structlog

from tailrace.client import (
    BrokerUnreachable,
    ConsumerFenced,
    ConsumerMisplaced,
    ConsumerStalled,
    GroupProtocolUnsupported,
    InstanceUnreleased,
    ProducerFenced,
)
from tailrace.listening import address_of, host_and_port, take_address
from tailrace.streams.config import StreamsConfig
from tailrace.streams.instances.meeting import Meeting
from tailrace.streams.joining import Joining
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
# All addresses of a machine, at which nobody can be reached.
EVERYWHERE = ("0.0.0.0", "::")


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

    Raises TopologyError for partition counts that do not fit, LookupError for missing topics, OffsetsLost,
    BrokerUnreachable, GroupProtocolUnsupported, AddressUnavailable, ValueError for an address that is none, and
    whatever an operator raises: the caller ends the process then, and a new one does the work again.
    """
    queries, metrics = queries or Queries(), metrics or Metrics()
    metrics.identity = topology.name, config.instance
    with served(metrics, config.metrics_port), _rare_collections(), ExitStack() as until_the_end:
        server = None if config.listen is None else until_the_end.enter_context(_taken(config.listen))
        address = None if server is None else _reachable(config.advertised or address_of(server))
        meeting = None
        try:
            planner = Planner(topology, config)
            if server is not None or config.standby_replicas:
                meeting = until_the_end.enter_context(Meeting(topology.name, config, address))
            if server is not None and meeting is not None:
                # HTTP is imported only where it is asked for.
                from tailrace.streams.serving.server import serving

                until_the_end.enter_context(serving(server, topology, planner, queries, meeting, metrics))
            _run(planner, config, stop, on_running, queries, metrics, meeting)
        finally:
            metrics.state = "stopped"


def _run(
    planner: Planner,
    config: StreamsConfig,
    stop: threading.Event,
    on_running: Callable[[], None],
    queries: Queries,
    metrics: Metrics,
    meeting: Meeting | None,
) -> None:
    application, is_careful = planner.plan.application, False
    joining = Joining(application, config)
    while not stop.is_set():
        try:
            worker = Worker(planner, joining.config(), stop, on_running, metrics, meeting, is_careful=is_careful)
            queries.attach(worker.tasks, worker.global_tables)
            worker.run()
        except (InstanceUnreleased, GroupProtocolUnsupported) as refusal:
            if not joining.refused(refusal):
                stop.wait(RESTART_PAUSE_S)
        except (ConsumerFenced, ConsumerMisplaced, ConsumerStalled, ProducerFenced, BrokerUnreachable) as reason:
            log.warning("starting over from what is committed", application=application, reason=str(reason))
            metrics.state = "starting"
            is_careful = isinstance(reason, ProducerFenced) and reason.may_be_refusal
            stop.wait(RESTART_PAUSE_S)


def _taken(address: str) -> socket.socket:
    return take_address(*host_and_port(address), "StreamsConfig(listen=...)")


def _reachable(address: str) -> str:
    """An address at which other instances can reach this one. Raises ValueError for one that stands for all."""
    if host_and_port(address)[0] in EVERYWHERE:
        raise ValueError(f"nobody can be reached at {address}; say where by StreamsConfig(advertised=...)")
    return address


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Have Python look for garbage in cycles after many batches, not several times in each, unless told otherwise.

    A batch is thousands of objects that are gone with it and have no cycles; looking at all of them took 7 % of the
    time.
    """
    before = gc.get_threshold()
    if before == PYTHON_GC_THRESHOLD:
        gc.set_threshold(GC_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
