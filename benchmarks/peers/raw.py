"""The limit for Python: copies records with librdkafka and does nothing else, whatever the job is.

`--variant transactional` commits offsets with the records, at the latest after 100 ms or when there is nothing more to
read. `--variant plain` does without transactions and leaves committing to librdkafka.
"""

import signal
import time
from typing import Any

from confluent_kafka import Consumer, Producer

from benchmarks.peers.arguments import Arguments, parse

BATCH = 10_000
COMMIT_AFTER_S = 0.1
IDLE_S = 0.1
TIMEOUT_S = 30.0

running = True


def consumer(arguments: Arguments) -> Consumer:
    """A consumer that keeps much in its queue."""
    return Consumer(
        {
            "bootstrap.servers": arguments.bootstrap_servers,
            "group.id": arguments.application,
            "group.instance.id": f"{arguments.application}-0",  # a restart takes its partitions over at once
            "session.timeout.ms": 6000,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": arguments.variant == "plain",
            "isolation.level": "read_committed",
            "queued.min.messages": 100_000,  # fetch ahead
            "fetch.queue.backoff.ms": 5,  # and go on soon when the queue was full
        }
    )


def producer(arguments: Arguments) -> Producer:
    """A producer of large, compressed batches; idempotent, and transactional unless plain."""
    settings: dict[str, Any] = {
        "bootstrap.servers": arguments.bootstrap_servers,
        "enable.idempotence": True,
        "linger.ms": 5,
        "batch.size": 1_000_000,
        "compression.type": "lz4",
        "queue.buffering.max.messages": 1_000_000,
        "queue.buffering.max.kbytes": 1 << 20,
    }
    if arguments.variant == "transactional":
        settings["transactional.id"] = arguments.application
        settings["retry.backoff.ms"] = 5  # else 100, when a commit's markers are still being written
    return Producer(settings)


def copy(messages: list[Any], sink: Producer, topic: str) -> None:
    """Write the records as they are, to the partition they came from."""
    produce = sink.produce
    for message in messages:
        if message.error() is not None:
            raise RuntimeError(str(message.error()))
        _, timestamp_ms = message.timestamp()
        while True:
            try:
                produce(topic, message.value(), message.key(), message.partition(), timestamp=timestamp_ms)
                break
            except BufferError:
                sink.poll(0.01)


def batch(source: Consumer, wait_s: float) -> list[Any]:
    """What there is, waiting for the first record only: consume() alone waits until it has all it may take."""
    first = source.poll(wait_s)
    return [] if first is None else [first, *source.consume(BATCH - 1, 0)]


def run_plain(source: Consumer, sink: Producer, topic: str) -> None:
    """Copy at least once."""
    while running:
        copy(batch(source, IDLE_S), sink, topic)
        sink.poll(0)
    sink.flush(TIMEOUT_S)


def run_transactional(source: Consumer, sink: Producer, topic: str) -> None:
    """Copy exactly once."""
    sink.init_transactions(TIMEOUT_S)
    begun_s: float | None = None
    while running or begun_s is not None:
        messages = batch(source, IDLE_S if begun_s is None else 0) if running else []
        if messages:
            if begun_s is None:
                sink.begin_transaction()
                begun_s = time.monotonic()
            copy(messages, sink, topic)
        if begun_s is not None and (not messages or time.monotonic() - begun_s > COMMIT_AFTER_S):
            positions = [each for each in source.position(source.assignment()) if each.offset >= 0]
            sink.send_offsets_to_transaction(positions, source.consumer_group_metadata(), TIMEOUT_S)
            sink.commit_transaction(TIMEOUT_S)
            begun_s = None


def stop(*_: object) -> None:
    """End after what was begun."""
    global running
    running = False


def main() -> None:
    """Run until SIGTERM."""
    arguments = parse(("transactional", "plain"))
    signal.signal(signal.SIGTERM, stop)
    source, sink = consumer(arguments), producer(arguments)
    source.subscribe([arguments.input])
    run = run_plain if arguments.variant == "plain" else run_transactional
    run(source, sink, arguments.output)
    source.close()


if __name__ == "__main__":
    main()
