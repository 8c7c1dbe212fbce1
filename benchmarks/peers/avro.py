"""Confluent's wire format with fastavro, for peers that have none of their own."""

import json
import struct
import urllib.request
from collections.abc import Callable
from io import BytesIO
from typing import Any

from fastavro import parse_schema, schemaless_reader, schemaless_writer

PREFIX = struct.Struct(">bI")


def decoder(registry: str) -> Callable[[bytes], Any]:
    """A function from bytes to a record as a dict."""
    schemas: dict[int, Any] = {}

    def decode(data: bytes) -> Any:
        _, schema_id = PREFIX.unpack_from(data)
        schema = schemas.get(schema_id)
        if schema is None:
            found = _ask(f"{registry}/schemas/ids/{schema_id}")
            schema = schemas[schema_id] = parse_schema(json.loads(found["schema"]))
        body = BytesIO(data)
        body.seek(PREFIX.size)
        return schemaless_reader(body, schema, None)

    return decode


def encoder(registry: str, topic: str, schema: Any) -> Callable[[Any], bytes]:
    """A function from a record to bytes; the schema is registered for the topic."""
    parsed = parse_schema(schema)
    registered = _ask(f"{registry}/subjects/{topic}-value/versions", {"schema": json.dumps(schema)})
    prefix = PREFIX.pack(0, registered["id"])

    def encode(record: Any) -> bytes:
        body = BytesIO()
        body.write(prefix)
        schemaless_writer(body, parsed, record)
        return body.getvalue()

    return encode


def _ask(url: str, content: Any = None) -> Any:
    request = urllib.request.Request(url, headers={"Content-Type": "application/vnd.schemaregistry.v1+json"})
    if content is not None:
        request.data = json.dumps(content).encode()
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)
