"""The broker's metrics as plain rows, taken in the event loop at one moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from tailrace.broker.dispatch import TABLE
from tailrace.metrics.histogram import Histogram
from tailrace.metrics.reading import Kind, Reading, Row, distribution

if TYPE_CHECKING:
    from tailrace.broker.broker import Broker
    from tailrace.broker.topics import Topic

PREFIX = "tailrace_broker_"


def read(broker: Broker) -> list[Reading]:
    """All metrics of a broker."""
    return [*_connections(broker), *_topics(broker), *_commit(broker), *_coordinators(broker)]


def _gauge(name: str, description: str, value: float) -> Reading:
    return Reading(PREFIX + name, "gauge", description, (), [((), value)])


def _counter(name: str, description: str, value: float) -> Reading:
    return Reading(PREFIX + name, "counter", description, (), [((), value)])


def _histogram(name: str, description: str, histogram: Histogram) -> Reading:
    return Reading(PREFIX + name, "histogram", description, (), [((), distribution(histogram))])


def _connections(broker: Broker) -> Iterator[Reading]:
    counters = broker.connection_counters
    names = {api.key: api.name for api in TABLE}
    requests = [((names[key],), distribution(histogram)) for key, histogram in sorted(counters.request_seconds.items())]
    description = "Time from a request's last byte to its reply, waiting for records, members and the disk included."
    yield Reading(PREFIX + "request_seconds", "histogram", description, ("api",), requests)
    yield _counter("received_bytes", "Bytes received from clients.", counters.received_bytes)
    yield _counter("sent_bytes", "Bytes sent to clients.", counters.sent_bytes)
    yield _gauge("connections", "Connections that are open.", counters.opened - counters.closed)
    yield _counter("connections_opened", "Connections that were accepted.", counters.opened)
    yield _counter("connections_refused", "Connections that the broker closed because of a request.", counters.refused)


def _topics(broker: Broker) -> Iterator[Reading]:
    topics = list(broker.state.topics)

    def by_topic(name: str, kind: Kind, said: str, value: Callable[[Topic], float]) -> Reading:
        return Reading(PREFIX + name, kind, said, ("topic",), [((topic.name,), value(topic)) for topic in topics])

    yield by_topic("topic_partitions", "gauge", "Partitions of the topic.", lambda topic: len(topic.partitions))
    yield by_topic(
        "topic_size_bytes", "gauge", "Bytes of its segments.", lambda topic: sum(p.size for p in topic.partitions)
    )
    yield by_topic(
        "topic_records",
        "counter",
        "Offsets given to records and markers since the topic was created.",
        lambda topic: sum(p.log_end_offset for p in topic.partitions),
    )
    yield by_topic(
        "topic_appended_bytes", "counter", "Bytes of batches since the start.", lambda topic: topic.appended_bytes
    )
    yield by_topic(
        "topic_undecided_records",
        "gauge",
        "Offsets that readers of committed records may not see yet because of open transactions.",
        lambda topic: sum(p.high_watermark - p.last_stable_offset for p in topic.partitions),
    )


def _commit(broker: Broker) -> Iterator[Reading]:
    commit, counters = broker.commit, broker.commit.counters
    yield _histogram("journal_write_seconds", "Time to write a round and make it durable.", counters.write_seconds)
    yield _histogram("journal_round_frames", "Frames that one write made durable.", counters.round_frames)
    yield _counter("journal_written_bytes", "Bytes written to the journal.", counters.written_bytes)
    yield _gauge("journal_file_bytes", "Bytes in the journal's present file.", commit.journal_bytes)
    yield _gauge("frames_waiting", "Frames that are not durable yet.", commit.recorded_frame - commit.durable_frame)
    yield _histogram("checkpoint_seconds", "Time to save a checkpoint.", counters.checkpoint_seconds)


def _coordinators(broker: Broker) -> Iterator[Reading]:
    groups = (*broker.groups.groups.values(), *broker.state.consumer_groups)
    states = Counter(group.state.name.lower() for group in groups)
    rows: list[Row] = [((state,), count) for state, count in sorted(states.items())]
    yield Reading(PREFIX + "groups", "gauge", "Groups with a coordinator, by state.", ("state",), rows)
    is_open = [transaction.is_ongoing for transaction in broker.state.transactions]
    yield _gauge("transactions_open", "Transactions that have begun and not ended.", sum(is_open))
    identity = (broker.state.cluster_id, str(broker.config.node_id))
    yield Reading(PREFIX + "info", "gauge", "Who this is.", ("cluster_id", "node_id"), [(identity, 1)])
