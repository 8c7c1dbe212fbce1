"""A stream application for tests on real brokers, with instances in threads."""

import threading
import time

from confluent_kafka import TopicPartition

from tailrace.client import Topic, consume, consumer, ensure_topics, producer, read_to_end, watermarks
from tailrace.streams import StreamsConfig, run
from tests.groups import make_quick
from tests.tailrace.streams.sums import Add, Added, PackSerde, topology

PARTITIONS = 3
# Some records have times long ago, which a broker's retention would delete within minutes.
FOR_EVER = {"retention.ms": "-1"}
SESSION_TIMEOUT_MS = 2_000


class Application:
    """The sums topology, or what `make` makes like it, on an engine, with topics of its own."""

    def __init__(self, bootstrap_servers, name, folder, make=topology, partitions=None):
        """`partitions`: the numbers of those topics that do not have as many as the others, by name without prefix."""
        self.bootstrap_servers, self.name, self.prefix, self.folder = bootstrap_servers, name, f"{name}-", folder
        self.topology = make(name, self.prefix)
        topics = self.topology.topics() - {"dead-letters"}
        counts = {f"{self.prefix}{topic}": count for topic, count in (partitions or {}).items()}
        own = (Topic(topic, counts.get(topic, PARTITIONS), FOR_EVER) for topic in topics)
        ensure_topics(bootstrap_servers, [*own, Topic("dead-letters", 1)])
        make_quick(bootstrap_servers, name, SESSION_TIMEOUT_MS)
        self.producer = producer(bootstrap_servers)

    def send(self, requests):
        for key, request in requests:
            self.producer.produce(f"{self.prefix}additions", PackSerde(Add).encode(request), key=key)
        assert self.producer.flush(60) == 0

    def start(self, instance="1", folder=None, queries=None, metrics=None, has_folder=True, **config):
        state = self.folder / (folder or instance) if has_folder else None
        return Running(self, instance, state, config, queries, metrics)

    def added(self):
        return [
            (record.key().decode(), PackSerde(Added).decode(record.value()))
            for record in read_to_end(self.bootstrap_servers, [f"{self.prefix}added"])
        ]

    def transactions(self):
        """How many transactions the partition of one key's events has seen: each left a marker."""
        reader = consumer(self.bootstrap_servers, "none")
        ends = [watermarks(reader, f"{self.prefix}added", partition)[1] for partition in range(PARTITIONS)]
        reader.close()
        return sum(ends) - len(self.added())

    def wait_for_added(self, count):
        self.wait_for_records(f"{self.prefix}added", count)

    def wait_for_records(self, topic, count, timeout_s=60):
        reader = consumer(self.bootstrap_servers, "none")
        reader.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
        deadline, seen = time.monotonic() + timeout_s, 0
        while seen < count:
            assert time.monotonic() < deadline, f"{seen} of {count} records after {timeout_s} s"
            seen += sum(record.error() is None for record in consume(reader, count - seen, 0.1))
        reader.close()


class Running:
    """One instance, in a thread."""

    def __init__(self, application, instance, folder, config, queries, metrics):
        self.stop_event, self.running, self.failure = threading.Event(), threading.Event(), None
        settings = StreamsConfig(
            application.bootstrap_servers, folder, instance=instance, session_timeout_ms=SESSION_TIMEOUT_MS, **config
        )

        def target():
            try:
                run(
                    application.topology,
                    settings,
                    self.stop_event,
                    self.running.set,
                    queries=queries,
                    metrics=metrics,
                )
            except BaseException as failure:
                self.failure = failure

        self.thread = threading.Thread(target=target, daemon=True)
        self.thread.start()

    def __enter__(self):
        if not self.running.wait(60):
            self.stop()
            raise TimeoutError("nothing was assigned within 60 s")
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stop_event.set()
        self.thread.join(60)
        assert not self.thread.is_alive()
        assert self.failure is None, self.failure
