"""The client's side, in a process of its own: one job, told and answered in JSON.

Records go through librdkafka in batches, so that Python costs little; the same code works on each system.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

BATCH = 1000
QUEUE = 100_000
TIMEOUT_S = 120
FIRST_OFFSET = 0
Job = dict[str, Any]


def run(job: Job) -> Any:
    """Do a job in another process and give its answer."""
    argv = [sys.executable, "-m", "benchmarks.broker.client"]
    done = subprocess.run(argv, input=json.dumps(job), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the client failed at {job}:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout)


def create_topic(servers: str, name: str, partitions: int) -> None:
    """Create a topic and wait until it is known."""
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
    admin.create_topics([NewTopic(name, partitions, 1)])[name].result(TIMEOUT_S)


def delete_topic(servers: str, name: str) -> None:
    """Delete a topic with its records."""
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
    admin.delete_topics([name])[name].result(TIMEOUT_S)


def payloads(size: int) -> list[bytes]:
    """Values of which half can be compressed, like most data."""
    return [(os.urandom(size // 4).hex() + "x" * size)[:size].encode() for _ in range(BATCH)]


def produce(job: Job) -> float:
    """Send `records` of `size` bytes; seconds until all are acknowledged."""
    producer = Producer(
        {
            "bootstrap.servers": job["servers"],
            "acks": "all",
            "linger.ms": 5,
            "batch.size": 1_000_000,
            "compression.type": job["compression"],
            "queue.buffering.max.messages": 2 * QUEUE,
            "queue.buffering.max.kbytes": 1 << 20,
        }
    )
    failed: list[object] = []

    def delivered(error: object, _: object) -> None:
        if error is not None:
            failed.append(error)

    values = payloads(job["size"])
    topic, partitions = job["topic"], job["partitions"]
    batches = [[{"value": value, "partition": partition} for value in values] for partition in range(partitions)]
    batches[0][0]["callback"] = delivered
    producer.list_topics(topic, timeout=TIMEOUT_S)
    started = time.perf_counter()
    for number in range(job["records"] // BATCH):
        while len(producer) > QUEUE:
            producer.poll(0.001)
        producer.produce_batch(topic, batches[number % partitions])
        producer.poll(0)
    if producer.flush(TIMEOUT_S) or failed:
        raise RuntimeError(f"{len(failed)} batches failed, {len(producer)} records are not acknowledged")
    return time.perf_counter() - started


def consume(job: Job) -> float:
    """Read `records` from the beginning; seconds from the first fetch on."""
    consumer = Consumer(
        {
            "bootstrap.servers": job["servers"],
            "group.id": "benchmark",
            "enable.auto.commit": False,
            "fetch.min.bytes": 100_000,
            "fetch.wait.max.ms": 50,
            # A client whose queue is full waits for a second, which would punish whoever is quick.
            "queued.min.messages": 1_000_000,
            "queued.max.messages.kbytes": 1 << 20,
            "fetch.queue.backoff.ms": 1,
            "check.crcs": False,
        }
    )
    started = time.perf_counter()
    consumer.assign([TopicPartition(job["topic"], index, FIRST_OFFSET) for index in range(job["partitions"])])
    left = job["records"]
    while left > 0:
        messages = consumer.consume(min(10_000, left), TIMEOUT_S)
        if not messages:
            raise RuntimeError(f"{left:,} of {job['records']:,} records did not come")
        left -= len(messages)
    elapsed = time.perf_counter() - started
    consumer.close()
    return elapsed


def acknowledgements(job: Job) -> list[float]:
    """Send single records at a steady rate for some seconds; seconds from when each was due to its acknowledgement."""
    producer = Producer({"bootstrap.servers": job["servers"], "acks": "all", "linger.ms": 0})
    producer.list_topics(job["topic"], timeout=TIMEOUT_S)
    latencies: list[float] = []
    value = payloads(100)[0]
    interval_s = 1 / job["rate"]
    begin = time.perf_counter() + 0.5
    for number in range(int(job["rate"] * job["seconds"])):
        due = begin + number * interval_s
        while (left := due - time.perf_counter()) > 0:
            producer.poll(min(left, 0.0002))

        def acknowledged(error: object, _: object, due: float = due) -> None:
            if error is not None:
                raise RuntimeError(str(error))
            latencies.append(time.perf_counter() - due)

        producer.produce(job["topic"], value, partition=number % job["partitions"], on_delivery=acknowledged)
        producer.poll(0)
    producer.flush(TIMEOUT_S)
    return latencies[len(latencies) // 10 :]


def transactions(job: Job) -> list[float]:
    """Transactions of one record, one after the other; seconds from their begin to the end of their commit."""
    producer = Producer({"bootstrap.servers": job["servers"], "transactional.id": "benchmark", "linger.ms": 0})
    producer.init_transactions(TIMEOUT_S)
    latencies = []
    for _ in range(job["records"]):
        started = time.perf_counter()
        producer.begin_transaction()
        producer.produce(job["topic"], b"x" * 100, partition=0)
        producer.commit_transaction(TIMEOUT_S)
        latencies.append(time.perf_counter() - started)
    return latencies[len(latencies) // 10 :]


JOBS = {each.__name__: each for each in (produce, consume, acknowledgements, transactions)}

if __name__ == "__main__":
    job = json.load(sys.stdin)
    json.dump(JOBS[job["job"]](job), sys.stdout)
