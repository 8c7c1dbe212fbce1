"""Serializers: values to the bytes of a record and back."""

import struct
from collections.abc import Callable, Iterable
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from tailrace.registry.client import Registry
from tailrace.registry.codec import Codec, FastavroCodec, check_fields
from tailrace.registry.compiled import CompiledCodec, Unsupported
from tailrace.registry.errors import SchemaNotFound, SerdeError
from tailrace.registry.schema import Schema, normal, parse

T = TypeVar("T")

MAGIC = b"\x00"
HEADER_SIZE = 5


class Serde(Protocol[T]):
    """Converts values of one type to bytes and back. What cannot be converted raises SerdeError.

    It may have a `python_type`, what msgspec should make of JSON for it; the serdes of this module do.
    """

    def encode(self, value: T) -> bytes:
        """Give a value's bytes."""

    def decode(self, data: bytes) -> T:
        """Give the value of bytes that `encode`, here or elsewhere, made."""


class AvroSerde(Generic[T]):
    """Avro in Confluent's wire format: 0x00, the schema's id as 4 bytes big-endian, the Avro body.

    Writes with `schema` under `subject`, registered at the first encode, or only looked up when not `register`.
    Reads whatever schema the bytes name, resolved to `schema`. `type`: a msgspec Struct class with the schema's
    fields, or None for plain dicts; times stay integers. Raises TypeError when `type` does not match `schema`.
    An unreachable registry raises RegistryUnreachable, not SerdeError.
    """

    def __init__(
        self,
        client: Registry,
        subject: str,
        schema: str,
        type: type[T] | None = None,  # noqa: A002
        *,
        register: bool = True,
    ) -> None:
        self._client = client
        self._subject = subject
        self._register = register
        self.python_type: Any = dict if type is None else type
        self._type = type
        self._text = schema
        parsed = parse(schema)
        if type is not None:
            check_fields(parsed, type)
        self._schema = normal(parsed)
        self._codec = _codec(parsed, type)
        self._header: bytes | None = None
        self._reader_by_header: dict[bytes, Codec[T]] = {}

    def of_subject(self, subject: str) -> "AvroSerde[T]":
        """The same schema under another subject, where it is registered when the first value is written."""
        return AvroSerde(self._client, subject, self._text, self._type)

    @property
    def schema_id(self) -> int:
        """The id of the schema that is written; registers it the first time."""
        return int.from_bytes(self._own_header()[1:], "big")

    def encode(self, value: T) -> bytes:
        """Give a value's bytes. Raises SerdeError, and at first IncompatibleSchema or SchemaNotFound."""
        header = self._header or self._own_header()
        try:
            return header + self._codec.encode(value)
        except Exception as error:
            raise SerdeError(f"{self._subject}: {value!r:.200} does not fit the schema: {error!r}") from error

    def decode(self, data: bytes) -> T:
        """Give the value of a record's bytes. Raises SerdeError."""
        codec = self._reader_by_header.get(data[:HEADER_SIZE]) or self._reader(data)
        try:
            return codec.decode(data, HEADER_SIZE)
        except Exception as error:
            schema_id = int.from_bytes(data[1:HEADER_SIZE], "big")
            raise SerdeError(
                f"{self._subject}: {len(data)} bytes cannot be read with schema {schema_id}: {error!r}"
            ) from error

    def decoder(self, fields: Iterable[str]) -> Callable[[bytes], T]:
        """What decodes as `decode` does for who looks at these attributes only: others may be None.

        A class that has attributes beside its fields, or checks its fields, is decoded as a whole where that matters.
        """
        own, wanted = self._codec, frozenset(fields)
        if not isinstance(own, CompiledCodec) or not own.can_decode(wanted):
            return self.decode
        decode_part: Callable[[bytes, int], T] = own.decoder(wanted)

        def decode(data: bytes) -> T:
            codec = self._reader_by_header.get(data[:HEADER_SIZE]) or self._reader(data)
            if codec is not own:
                return self.decode(data)
            try:
                return decode_part(data, HEADER_SIZE)
            except Exception:
                return self.decode(data)  # which says what is wrong

        return decode

    def has_schema_of(self, other: "AvroSerde[Any]") -> bool:
        """Whether another serde reads and writes the same schema."""
        return self._schema == other._schema

    def writes(self, data: bytes) -> bool:
        """Whether a record's bytes are of the schema that is written, so that they can be passed on as they are."""
        return data.startswith(self._header or self._own_header())

    def _own_header(self) -> bytes:
        if self._header is None:
            call = self._client.register if self._register else self._client.lookup
            self._header = MAGIC + call(self._subject, self._schema).to_bytes(4, "big")
        return self._header

    def _reader(self, data: bytes) -> Codec[T]:
        header = data[:HEADER_SIZE]
        if len(header) < HEADER_SIZE or header[:1] != MAGIC:
            raise SerdeError(
                f"{self._subject}: {data[:16]!r} is not Avro in Confluent's format; "
                "expected a byte 0x00 and a schema id of 4 bytes first"
            )
        schema_id = int.from_bytes(header[1:], "big", signed=True)
        try:
            writer = normal(parse(self._client.schema(schema_id)))
        except SchemaNotFound as error:
            raise SerdeError(f"{self._subject}: the registry knows no schema {schema_id}") from error
        codec = self._codec if writer == self._schema else FastavroCodec(self._schema, writer, self._type)
        self._reader_by_header[header] = codec
        return codec


def _codec(schema: Schema, type: type[T] | None) -> Codec[T]:  # noqa: A002
    text = normal(schema)
    if type is None:
        return FastavroCodec(text, text, None)
    try:
        return CompiledCodec(schema, type)
    except Unsupported:
        return FastavroCodec(text, text, type)


def decoder_of(serde: Serde[T], fields: Iterable[str]) -> Callable[[bytes], T]:
    """What decodes with a serde for who looks at these fields of a value only."""
    return serde.decoder(fields) if isinstance(serde, AvroSerde) else serde.decode


class StringSerde:
    """Text as UTF-8."""

    python_type = str

    def encode(self, value: str) -> bytes:
        """Give the text's UTF-8 bytes."""
        try:
            return value.encode()
        except (UnicodeEncodeError, AttributeError) as error:
            raise SerdeError(f"{value!r:.200} is no text: {error}") from error

    def decode(self, data: bytes) -> str:
        """Give the text of UTF-8 bytes."""
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise SerdeError(f"{data[:50]!r} is not UTF-8: {error}") from error


class BytesSerde:
    """Bytes as they are."""

    python_type = bytes

    def encode(self, value: bytes) -> bytes:
        """Give the bytes."""
        return value

    def decode(self, data: bytes) -> bytes:
        """Give the bytes."""
        return data


class JsonSerde(Generic[T]):
    """JSON without a schema; `type` is anything msgspec knows, or None for plain values."""

    def __init__(self, type: type[T] | None = None) -> None:  # noqa: A002
        self.python_type: Any = Any if type is None else type
        self._encoder = msgspec.json.Encoder()
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Any if type is None else type)

    def encode(self, value: T) -> bytes:
        """Give a value's JSON."""
        try:
            return self._encoder.encode(value)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise SerdeError(f"{value!r:.200} cannot be written as JSON: {error}") from error

    def decode(self, data: bytes) -> T:
        """Give the value of JSON."""
        try:
            return self._decoder.decode(data)  # type: ignore[no-any-return]
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise SerdeError(f"{data[:50]!r} is not the JSON expected: {error}") from error


class MsgpackSerde(Generic[T]):
    """MessagePack without a schema; `type` is anything msgspec knows."""

    def __init__(self, type: type[T]) -> None:  # noqa: A002
        self.python_type: Any = type
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(type)

    def encode(self, value: T) -> bytes:
        """Give a value's MessagePack."""
        try:
            return self._encoder.encode(value)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise SerdeError(f"{value!r:.200} cannot be written as MessagePack: {error}") from error

    def decode(self, data: bytes) -> T:
        """Give the value of MessagePack."""
        try:
            return self._decoder.decode(data)  # type: ignore[no-any-return]
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise SerdeError(f"{data[:50]!r} is not the MessagePack expected: {error}") from error


class NumberSerde(Generic[T]):
    """Numbers as Kafka's own serializers write them, big-endian: `q` is a long, `d` a double."""

    def __init__(self, format: str) -> None:  # noqa: A002
        self.python_type = float if format in "efd" else int
        self._struct = struct.Struct(">" + format)

    def encode(self, value: T) -> bytes:
        """Give a number's bytes."""
        try:
            return self._struct.pack(value)
        except struct.error as error:
            raise SerdeError(f"{value!r:.200} does not fit: {error}") from error

    def decode(self, data: bytes) -> T:
        """Give the number of bytes."""
        try:
            return self._struct.unpack(data)[0]  # type: ignore[no-any-return]
        except struct.error as error:
            raise SerdeError(f"{data[:50]!r} is not {self._struct.size} bytes: {error}") from error
