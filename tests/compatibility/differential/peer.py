"""Raw requests to a broker, and its answers as plain values that can be compared with another broker's.

A request is a dictionary with the field names of `kio`, the same for all versions: a version takes the fields that it
has. An answer has no objects: error codes are their names, durations milliseconds.
"""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any, Protocol
from uuid import UUID

from kio.schema.index import api_key_map
from kio.serial import entity_reader

from tailrace.wire.encoding import Encode, Parts, struct_encoder
from tailrace.wire.messages import message_class

Answer = Any
CLOSED = "the connection was closed"
TIMEOUT_S = 60
ANY_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# What no two brokers have in common, or what says nothing: texts for people, addresses, times.
VOLATILE = {
    "throttle_time",
    "error_message",
    "batch_index_error_message",
    "log_append_time",
    "last_timestamp",
    "host",
    "port",
    "client_host",
    "cluster_id",
    "rack",
    "log_dir",
    "total_bytes",
    "usable_bytes",
}
IDS = {"producer_id", "session_id"}
LATE_MS = 1_750_000_000_000  # later than the records of tests; a broker's own clock


class Engine(Protocol):
    @property
    def bootstrap_servers(self) -> str: ...


class Peer:
    """One broker, asked on one connection, which is opened again when the broker closed it."""

    def __init__(self, engine: Engine, client_id: str = "differential") -> None:
        host, port = engine.bootstrap_servers.split(":")
        self._address = host, int(port)
        self._client_id = client_id.encode()
        self._socket: socket.socket | None = None
        self.versions = self._supported_versions()

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def send(self, api: str, version: int, request: Mapping[str, Any]) -> None:
        """Send a request whose answer is received later."""
        if self._socket is None:
            self._socket = socket.create_connection(self._address, TIMEOUT_S)
        self._socket.sendall(self._encode(api, version, request))

    def receive(self, api: str, version: int) -> Answer:
        """The next answer as an object of `kio`, `CLOSED` when there is none."""
        assert self._socket is not None
        try:
            with self._socket.makefile("rb") as stream:
                size = stream.read(4)
                frame = stream.read(struct.unpack(">i", size)[0]) if size else b""
        except ConnectionResetError:
            frame = b""
        if not frame:
            self.close()
            return CLOSED
        return _reader(api, version)(frame)

    def ask(self, api: str, version: int, request: Mapping[str, Any]) -> Answer:
        """Send a request and give the answer."""
        self.send(api, version, request)
        return self.receive(api, version)

    def _encode(self, api: str, version: int, request: Mapping[str, Any]) -> bytes:
        encode, key, is_flexible = _writer(api, version)
        parts: Parts = [struct.pack(">hhih", key, version, 1, len(self._client_id)), self._client_id]
        parts += [b"\0"] if is_flexible else []
        encode(request, parts)
        content = b"".join(parts)
        return struct.pack(">i", len(content)) + content

    def _supported_versions(self) -> dict[str, range]:
        answer = self.ask("api_versions", 3, {"client_software_name": "test", "client_software_version": "1"})
        return {api_key_map[api.api_key]: range(api.min_version, api.max_version + 1) for api in answer.api_keys}


@cache
def _writer(api: str, version: int) -> tuple[Encode, int, bool]:
    schema = message_class(api, version, "request")
    return struct_encoder(schema), schema.__api_key__, schema.__header_schema__.__version__ >= 2


@cache
def _reader(api: str, version: int) -> Any:
    schema = message_class(api, version, "response")
    read = entity_reader(schema)
    start = 5 if schema.__header_schema__.__version__ >= 1 else 4
    return lambda frame: read(frame, start)[0]


def plain(value: Any, names: Mapping[str, str]) -> Any:
    """An answer without objects and without what is different each time; texts in `names` are replaced."""
    if is_dataclass(value):
        return {
            field.name: _plain_field(field.name, item, names)
            for field in fields(value)
            if field.name not in VOLATILE
            for item in (getattr(value, field.name),)
        }
    if isinstance(value, tuple):
        return sorted((plain(item, names) for item in value), key=repr) or None  # no list and an empty one are alike
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, UUID):
        return "some id" if value.int else "no id"
    if isinstance(value, timedelta):
        return value // timedelta(milliseconds=1)
    if isinstance(value, datetime):
        return "some time"
    if isinstance(value, str):
        return _plain_text(value, names)
    return value


def _plain_field(name: str, value: Any, names: Mapping[str, str]) -> Any:
    if (name in IDS and value not in (-1, 0)) or (name == "producer_id" and value == 0):
        return "some id"
    if name == "timestamp" and value > LATE_MS:
        return "some time"
    return plain(value, names)


def _plain_text(text: str, names: Mapping[str, str]) -> str:
    for name, replacement in names.items():
        text = text.replace(name, replacement)
    return ANY_UUID.sub("UUID", text)


def differences(ours: Any, theirs: Any, path: str = "") -> dict[str, tuple[Any, Any]]:
    """Where two plain answers differ: path to both values."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        found: dict[str, tuple[Any, Any]] = {}
        for key in ours.keys() | theirs.keys():
            found |= differences(ours.get(key), theirs.get(key), f"{path}.{key}" if path else key)
        return found
    if isinstance(ours, list) and isinstance(theirs, list):
        by_name = _by_name(ours), _by_name(theirs)
        if by_name[0] is not None and by_name[1] is not None:
            return differences(*by_name, path)
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        found = {}
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            found |= differences(one, other, f"{path}[{index}]")
        return found
    return {} if ours == theirs else {path: (ours, theirs)}


def _by_name(items: list[Any]) -> dict[str, Any] | None:
    """Named structs by their name; None when they have no names, or not each its own."""
    named = {item["name"]: item for item in items if isinstance(item, dict) and item.get("name") is not None}
    return named if len(named) == len(items) else None
