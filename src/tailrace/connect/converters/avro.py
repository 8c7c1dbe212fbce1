"""Avro in Confluent's wire format: a zero byte, the schema's id in the registry (int32), the value.

The contract comes first: values are written with the latest schema registered for the topic (in Confluent's terms
`use.latest.version=true`). Only where there is none, the source's own schema is registered and becomes the contract.
"""

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import fastavro
import msgspec

from tailrace.connect.config import Key, Settings, boolean, one_of, text
from tailrace.connect.converters.conform import Conform, conformer
from tailrace.connect.errors import ConnectError, DataError, SystemUnreachable
from tailrace.connect.record import Schema
from tailrace.registry.client import Registry, RegistryClient
from tailrace.registry.errors import IncompatibleSchema, RegistryUnreachable, SchemaNotFound

T = TypeVar("T")

HEADER = struct.Struct(">bi")
PATIENCE_S = 2.0  # short: the task itself waits, and says so


@dataclass(frozen=True, slots=True)
class _Writer:
    header: bytes
    schema: Schema
    conform: Conform


class AvroConverter:
    """Keys or values in Avro."""

    keys = (
        Key("schema.registry.url", "Another registry than the worker's.", text, None),
        Key("auto.register.schemas", "Whether to make the first contract of a topic.", boolean, True),
        Key("use.latest.version", "Always so: the registered contract decides.", one_of("true"), "true"),
    )

    def __init__(self, settings: Settings, registry: Registry, *, is_key: bool) -> None:
        url: str | None = settings["schema.registry.url"]
        self._registry = registry if url is None else RegistryClient(url, patience_s=PATIENCE_S)
        self._suffix = "key" if is_key else "value"
        self._may_register: bool = settings["auto.register.schemas"]
        self._schemas: dict[int, Schema] = {}
        self._writers: dict[str, _Writer] = {}

    def decode(self, topic: str, data: bytes | None) -> tuple[Any, Schema | None]:
        """Give the value with its writer's schema. Raises DataError, SystemUnreachable."""
        if data is None:
            return None, None
        if len(data) < HEADER.size or data[0] != 0:
            raise DataError(f"{topic}: not Avro of a schema registry: starts with {data[:5].hex() or 'nothing'}")
        schema = self._schema(HEADER.unpack_from(data)[1])
        body = io.BytesIO(data)
        body.seek(HEADER.size)
        try:
            value = fastavro.schemaless_reader(body, schema, None)
        except Exception as error:  # fastavro raises whatever the damaged bytes lead it to
            raise DataError(f"{topic}: damaged Avro: {type(error).__name__}: {error}") from error
        if body.tell() != len(data):
            raise DataError(f"{topic}: {len(data) - body.tell()} bytes follow the Avro value")
        return value, schema

    def encode(self, topic: str, value: Any, schema: Schema | None) -> bytes | None:
        """Write the value under the topic's contract. Raises DataError, SystemUnreachable."""
        if value is None:
            return None
        writer = self._writers.get(topic)
        if writer is None:
            writer = self._writers[topic] = self._writer(topic, schema)
        out = io.BytesIO()
        out.write(writer.header)
        try:
            fastavro.schemaless_writer(out, writer.schema, writer.conform(value))
        except (ValueError, TypeError) as error:
            raise DataError(f"{topic}: does not fit the contract {writer.schema.get('name')}: {error}") from error
        return out.getvalue()

    def _schema(self, schema_id: int) -> Schema:
        schema = self._schemas.get(schema_id)
        if schema is None:
            try:
                found = _asked(partial(self._registry.schema, schema_id))
            except SchemaNotFound as error:
                raise DataError(f"the registry does not know schema id {schema_id}") from error
            schema = self._schemas[schema_id] = _parsed(found)
        return schema

    def _writer(self, topic: str, derived: Schema | None) -> _Writer:
        subject = f"{topic}-{self._suffix}"
        try:
            contract = _asked(partial(self._registry.latest, subject))
            schema_id, schema = contract.id, contract.schema
        except SchemaNotFound:
            if derived is None or not self._may_register:
                raise ConnectError(f"subject {subject} has no schema; register the contract of {topic}") from None
            schema = msgspec.json.encode(derived).decode()
            schema_id = _asked(partial(self._registry.register, subject, schema))
        parsed = _parsed(schema)
        return _Writer(HEADER.pack(0, schema_id), parsed, conformer(parsed))


def _parsed(schema: str) -> Schema:
    parsed = fastavro.parse_schema(msgspec.json.decode(schema))
    return parsed if isinstance(parsed, dict) else {"type": parsed}


def _asked(question: Callable[[], T]) -> T:
    try:
        return question()
    except RegistryUnreachable as error:
        raise SystemUnreachable(str(error)) from error
    except IncompatibleSchema as error:
        raise ConnectError(str(error)) from error
