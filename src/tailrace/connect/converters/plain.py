"""Formats without a schema: text, bytes, JSON."""

from datetime import date, datetime
from typing import Any

import msgspec

from tailrace.connect.config import Key, Settings, one_of
from tailrace.connect.errors import DataError
from tailrace.connect.record import Schema


class StringConverter:
    """Any value as text, UTF-8."""

    keys = ()

    def __init__(self, settings: Settings, registry: object, *, is_key: bool) -> None:
        pass

    def decode(self, topic: str, data: bytes | None) -> tuple[str | None, Schema | None]:
        """Give the text."""
        try:
            return None if data is None else data.decode(), None
        except UnicodeDecodeError as error:
            raise DataError(f"{topic}: not UTF-8 text: {error}") from error

    def encode(self, topic: str, value: Any, schema: Schema | None) -> bytes | None:
        """Give the value's text."""
        return None if value is None else str(value).encode()


class ByteArrayConverter:
    """Bytes as they are."""

    keys = ()

    def __init__(self, settings: Settings, registry: object, *, is_key: bool) -> None:
        pass

    def decode(self, topic: str, data: bytes | None) -> tuple[bytes | None, Schema | None]:
        """Give the bytes."""
        return data, None

    def encode(self, topic: str, value: Any, schema: Schema | None) -> bytes | None:
        """Give the bytes; anything else is refused."""
        if value is None or isinstance(value, bytes):
            return value
        raise DataError(f"{topic}: ByteArrayConverter takes bytes, not {type(value).__name__}")


class JsonConverter:
    """JSON without schemas; points in time are milliseconds since 1970, as Kafka Connect writes them."""

    keys = (Key("schemas.enable", "Schemas within the JSON; not supported.", one_of("false"), False),)

    def __init__(self, settings: Settings, registry: object, *, is_key: bool) -> None:
        self._encoder = msgspec.json.Encoder(decimal_format="number")

    def decode(self, topic: str, data: bytes | None) -> tuple[Any, Schema | None]:
        """Give what the JSON says."""
        try:
            return None if data is None else msgspec.json.decode(data), None
        except msgspec.DecodeError as error:
            raise DataError(f"{topic}: not JSON: {error}") from error

    def encode(self, topic: str, value: Any, schema: Schema | None) -> bytes | None:
        """Give the JSON."""
        try:
            return None if value is None else self._encoder.encode(_json(value))
        except (TypeError, msgspec.MsgspecError) as error:
            raise DataError(f"{topic}: cannot be JSON: {error}") from error


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _json(item) for name, item in value.items()}
    if isinstance(value, datetime):
        return round(value.timestamp() * 1000)
    if isinstance(value, date):
        return (value - date(1970, 1, 1)).days
    return value
