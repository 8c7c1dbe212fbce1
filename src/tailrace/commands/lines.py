"""Lines of text as records: what `tailrace produce` reads."""

from base64 import b64decode
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from tailrace.commands.failure import CommandFailed

Header = tuple[str, bytes | None]


class NewRecord(NamedTuple):
    """A record to be written, and the number of the line that it comes from."""

    line: int
    key: bytes | None
    value: bytes | None
    headers: list[Header]
    partition: int | None = None
    timestamp_ms: int = 0


class Bytes(msgspec.Struct, forbid_unknown_fields=True):
    """Bytes that are no text."""

    base64: str


class JsonRecord(msgspec.Struct):
    """A record as `tailrace consume --json` prints it; topic, partition, offset and what else there is is left out."""

    key: str | Bytes | None = None
    value: str | Bytes | None = None
    headers: list[tuple[str, Any]] = []
    timestamp: int = 0


_decode = msgspec.json.Decoder(JsonRecord).decode


def parse_text(line: bytes, number: int, key_separator: str | None, headers: Sequence[Header]) -> NewRecord:
    """A line as a value, or as key and value. Raises CommandFailed when the separator is missing."""
    if not key_separator:
        return NewRecord(number, None, line, list(headers))
    key, found, value = line.partition(key_separator.encode())
    if not found:
        raise CommandFailed(f"line {number} has no {key_separator!r} between key and value; nothing after it was sent")
    return NewRecord(number, key, value, list(headers))


def parse_json(line: bytes, number: int, headers: Sequence[Header]) -> NewRecord:
    """A line as a JSON object; its headers come before `headers`. Raises CommandFailed when it is none."""
    try:
        record = _decode(line)
        own = [(name, _bytes(msgspec.convert(value, str | Bytes | None))) for name, value in record.headers]
        return NewRecord(
            number, _bytes(record.key), _bytes(record.value), [*own, *headers], None, max(record.timestamp, 0)
        )
    except (msgspec.MsgspecError, ValueError) as error:
        raise CommandFailed(f"line {number} is no record in JSON: {error}; nothing after it was sent") from None


def _bytes(text: str | Bytes | None) -> bytes | None:
    if isinstance(text, Bytes):
        return b64decode(text.base64, validate=True)
    return None if text is None else text.encode()
