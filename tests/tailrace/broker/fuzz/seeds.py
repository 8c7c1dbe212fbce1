"""Valid inputs to begin with: from here on it is small changes that lead to new code."""

from __future__ import annotations

import struct
from uuid import UUID

from tailrace.wire.encoding import struct_encoder
from tailrace.wire.messages import message_class
from tailrace.wire.record_batch import Record, encode_batch

from ..requests import encode_request, framed, sample
from .files import intact_files
from .fuzzer import FILE_TARGETS
from .targets import VERSIONS

TOPIC_ID = UUID(bytes=b"topic".ljust(16, b"\0"))
RECORDS = [Record(number, 1_700_000_000_000 + number, b"key", b"value", (("h", b"v"),)) for number in range(3)]


def seeds(target: str) -> list[bytes]:
    """Valid inputs of a target."""
    if target in FILE_TARGETS:
        return [content for name, content in sorted(intact_files().items()) if FILE_TARGETS[target] in name]
    if target == "request":
        return [_request(number) for number in range(len(VERSIONS))]
    if target == "stream":
        return [b"\x07" + framed(encode_request("api_versions", 18, 0, 1, {})) * 2]
    if target == "record_batch":
        return [encode_batch(RECORDS), encode_batch(RECORDS, producer_id=1000, producer_epoch=0, base_sequence=0)]
    if target == "sasl":
        return [b"\0alice\0wrong", b"n,,n=alice,r=client\xffc=biws,r=clientserver,p=AAAA"]
    return [b"g" + struct.pack(">hih5si", 0, 1, 5, b"topic", 0)]


def _request(number: int) -> bytes:
    api, version = VERSIONS[number]
    schema = message_class(api.name, version, "request")
    parts = [struct.pack(">H", number), b"\0" if schema.__header_schema__.__version__ >= 2 else b""]
    struct_encoder(schema)(sample(schema, "topic", TOPIC_ID), parts)
    return b"".join(parts)
