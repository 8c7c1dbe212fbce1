"""What is fuzzed: each target takes any bytes, and raises when something does not hold that must.

Hypothesis runs them in the tests, with bytes made from valid ones; atheris in `make fuzz`, with what leads to new code.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable, Mapping

from tailrace.broker.dispatch import APIS, TABLE
from tailrace.broker.security.authentication import Authentication
from tailrace.broker.security.config import Mechanism
from tailrace.broker.security.credentials import credential
from tailrace.broker.security.exchange import Rejected
from tailrace.broker.security.users import Users
from tailrace.wire.record_batch import HEADER_BYTES, MAGIC, seal

from ..requests import encode_request
from .world import TOPICS, World

KEYS = {api.name: api.key for api in APIS.values()}
VERSIONS = [(api, version) for api in TABLE for version in api.decodes]
USERS = Users([credential("alice", Mechanism.SCRAM_SHA_256, "secret", b"salt", 4096)])
Target = Callable[[World, bytes], None]


def stream(world: World, data: bytes) -> None:
    """Whatever a client may send, in pieces of up to 255 bytes."""
    size = data[0] + 1 if data else 1
    world.send(data[position : position + size] for position in range(1, len(data), size))


def request(world: World, data: bytes) -> None:
    """A request of a version that exists, with any body; the first two bytes choose which."""
    if len(data) >= 2:
        api, version = VERSIONS[int.from_bytes(data[:2], "big") % len(VERSIONS)]
        header = struct.pack(">hhih", api.key, version, 7, -1)
        world.ask(header + data[2:])


def record_batch(world: World, data: bytes) -> None:
    """Any batch with the right length and CRC, for any topic; what was let in must be readable and searchable."""
    batch = bytearray(data.ljust(HEADER_BYTES, b"\0"))
    struct.pack_into(">i", batch, 8, len(batch) - 12)
    batch[16] = MAGIC
    for topic in TOPICS:
        partition = {"index": 0, "records": seal(batch)}
        produced = {
            "transactional_id": "txn",
            "acks": -1,
            "topic_data": [{"name": topic, "partition_data": [partition]}],
        }
        world.ask(encode_request("produce", KEYS["produce"], 9, 1, produced))
        for timestamp in (0, 2**62, -3):
            wanted = [{"partition_index": 0, "timestamp": timestamp}]
            search = {"replica_id": -1, "topics": [{"name": topic, "partitions": wanted}]}
            world.ask(encode_request("list_offsets", KEYS["list_offsets"], 8, 2, search))
        log = world.broker.state.topics.partition(topic, 0)
        assert log is not None
        if log.high_watermark > log.log_start_offset:
            assert log.read(log.high_watermark - 1, log.high_watermark, 1 << 20, at_least_one=True)


def sasl(world: World, data: bytes) -> None:
    """Tokens of each mechanism, separated by 0xFF: nobody logs in without the password."""
    for mechanism in Mechanism:
        authentication = Authentication(mechanisms=tuple(Mechanism), users=USERS)
        authentication.choose(mechanism, bare_tokens=False)
        with contextlib.suppress(Rejected):
            for token in data.split(b"\xff"):
                authentication.step(token)
                assert not authentication.is_open


def group_blobs(world: World, data: bytes) -> None:
    """Metadata and assignments of members, which are clients' own, and what the broker reads of them."""
    with contextlib.suppress(UnicodeDecodeError):
        name = data[:1].hex()
        join = {
            "group_id": name,
            "session_timeout": 6000,
            "rebalance_timeout": 6000,
            "protocol_type": "consumer",
            "protocols": [{"name": "range", "metadata": data[1:]}],
        }
        joined = world.ask(encode_request("join_group", KEYS["join_group"], 3, 1, join))
        member = {"group_id": name, "generation_id": 1, "member_id": joined.member_id if joined else ""}
        assignments = [{"member_id": member["member_id"], "assignment": data[1:]}]
        world.ask(encode_request("sync_group", KEYS["sync_group"], 3, 2, member | {"assignments": assignments}))
        world.ask(encode_request("describe_groups", KEYS["describe_groups"], 5, 3, {"groups": [name]}))
        partitions = [{"partition_index": 0}]
        delete = {"group_id": name, "topics": [{"name": "topic", "partitions": partitions}]}
        world.ask(encode_request("offset_delete", KEYS["offset_delete"], 0, 4, delete))
        leave = {"group_id": name, "member_id": member["member_id"]}
        world.ask(encode_request("leave_group", KEYS["leave_group"], 2, 5, leave))


TARGETS: Mapping[str, Target] = {
    "stream": stream,
    "request": request,
    "record_batch": record_batch,
    "sasl": sasl,
    "group_blobs": group_blobs,
}
