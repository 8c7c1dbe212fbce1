"""A thousand consumers at once: connections that wait for records, which are written a few times a second.

They are plain sockets in one process, since a thousand clients with threads of their own would measure themselves.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import time
from typing import Any

from benchmarks.broker import client

FETCH, VERSION = 1, 4
CORRELATION = struct.Struct(">i")


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


async def follow(host: str, port: int, topic: str, seen: list[tuple[int, float]], ready: asyncio.Semaphore) -> None:
    """One consumer: remembers when it heard of which offset."""
    reader, writer = await asyncio.open_connection(host, port)
    ready.release()
    offset = 0
    while True:
        writer.write(fetch_request(topic, offset))
        size = CORRELATION.unpack(await reader.readexactly(4))[0]
        reply = await reader.readexactly(size)
        end = high_watermark(reply, topic)
        if end > offset:
            seen.append((end, time.perf_counter()))
        offset = end


async def measure(job: client.Job) -> dict[str, Any]:
    """Latencies from before a record is sent until each consumer has heard of it."""
    host, port = job["servers"].split(":")
    seen: list[tuple[int, float]] = []
    ready = asyncio.Semaphore(0)
    followers = [
        asyncio.create_task(follow(host, int(port), job["topic"], seen, ready)) for _ in range(job["consumers"])
    ]
    for _ in followers:
        await ready.acquire()
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
    for follower in followers:
        follower.cancel()
    return {"latencies": [at - sent[end] for end, at in seen]}


if __name__ == "__main__":
    json.dump(asyncio.run(measure(json.load(sys.stdin))), sys.stdout)
