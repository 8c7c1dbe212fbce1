"""One record on one line, for people or as JSON."""

from collections.abc import Callable, Collection
from typing import Any

from tailrace.commands.instant import show_instant
from tailrace.commands.output import json_of, text_of

FIELDS: dict[str, Callable[[Any], str]] = {
    "timestamps": lambda record: show_instant(record.timestamp()[1]),
    "positions": lambda record: f"{record.partition()}:{record.offset()}",
    "headers": lambda record: ",".join(f"{text_of(n.encode())}={text_of(v)}" for n, v in record.headers() or ()),
    "keys": lambda record: text_of(record.key()),
}


def record_line(record: Any, fields: Collection[str]) -> str:
    """The value behind the fields that are wanted, separated by tabs; what is no printable text is escaped."""
    shown = [show(record) for name, show in FIELDS.items() if name in fields]
    return "\t".join([*shown, text_of(record.value())])


def record_object(record: Any) -> dict[str, Any]:
    """Everything, for JSON; see `output.json_of` for bytes."""
    return {
        "topic": record.topic(),
        "partition": record.partition(),
        "offset": record.offset(),
        "timestamp": record.timestamp()[1],
        "key": json_of(record.key()),
        "value": json_of(record.value()),
        "headers": [[name, json_of(value)] for name, value in record.headers() or ()],
    }
