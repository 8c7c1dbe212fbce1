"""A thousand consumers at once: connections that wait for records, which are written a few times a second.

They are plain sockets in one process, since a thousand clients with threads of their own would measure themselves.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import time
from typing import Any, cast

import uvloop

from benchmarks.broker import client

FETCH, VERSION = 1, 4


def fetch_request(topic: str, offset: int) -> bytes:
    """Ask for records from an offset of partition 0, waiting up to 10 s."""
    name = topic.encode()
    body = struct.pack(">iiiibi", -1, 10_000, 1, 1 << 20, 0, 1)
    body += struct.pack(f">h{len(name)}siiqi", len(name), name, 1, 0, offset, 1 << 20)
    content = struct.pack(">hhih", FETCH, VERSION, 1, -1) + body
    return struct.pack(">i", len(content)) + content


def high_watermark(reply: bytes, topic: str) -> int:
    """Of the reply's only partition."""
    start = 4 + 4 + 4 + 2 + len(topic.encode()) + 4 + 4 + 2
    found: int = struct.unpack_from(">q", reply, start)[0]
    return found


class Follower(asyncio.Protocol):
    """One consumer: remembers when it heard of which offset."""

    def __init__(self, topic: str, seen: list[tuple[int, float]]) -> None:
        self._topic = topic
        self._seen = seen
        self._offset = 0
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first record."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(fetch_request(self._topic, self._offset))

    def data_received(self, data: bytes) -> None:
        """Ask for more when the reply is complete."""
        self._received += data
        if len(self._received) < 4 + int.from_bytes(self._received[:4], "big"):
            return
        end = high_watermark(self._received[4:], self._topic)
        if end > self._offset:
            self._seen.append((end, time.perf_counter()))
        self._offset, self._received = end, b""
        self._transport.write(fetch_request(self._topic, self._offset))


async def measure(job: client.Job) -> dict[str, Any]:
    """Latencies from before a record is sent until each consumer has heard of it."""
    host, port = job["servers"].split(":")
    seen: list[tuple[int, float]] = []
    loop = asyncio.get_running_loop()
    followers = [
        await loop.create_connection(lambda: Follower(job["topic"], seen), host, int(port))
        for _ in range(job["consumers"])
    ]
    producer = client.Producer({"bootstrap.servers": job["servers"], "linger.ms": 0, "acks": "all"})
    producer.list_topics(job["topic"], timeout=client.TIMEOUT_S)
    await asyncio.sleep(1)
    sent = {}
    for number in range(1, job["records"] + 1):
        sent[number] = time.perf_counter()
        producer.produce(job["topic"], b"x" * 100, partition=0)
        producer.flush(client.TIMEOUT_S)
        while len(seen) < number * len(followers):
            await asyncio.sleep(0.005)
            if time.perf_counter() - sent[number] > client.TIMEOUT_S:
                raise RuntimeError(f"{len(seen):,} of {number * len(followers):,} deliveries")
    for transport, _ in followers:
        transport.close()
    return {"latencies": [at - sent[end] for end, at in seen]}


if __name__ == "__main__":
    json.dump(uvloop.run(measure(json.load(sys.stdin))), sys.stdout)
