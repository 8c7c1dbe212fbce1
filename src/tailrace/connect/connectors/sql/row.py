"""What a record means for a table: which row, with which key, is to be there or to be gone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tailrace.connect.errors import DataError
from tailrace.connect.record import Record, fields_of

PK_MODES = ("none", "kafka", "record_key", "record_value")
KAFKA_FIELDS = ("__connect_topic", "__connect_partition", "__connect_offset")


@dataclass(frozen=True, slots=True)
class Change:
    """One row to write, or, with `deletes`, to delete by its keys.

    `row`: values by column, keys first. `keys`: names of the key columns.
    """

    record: Record
    table: str
    row: Mapping[str, Any]
    keys: tuple[str, ...]
    deletes: bool = False

    def is_like(self, other: "Change") -> bool:
        """Tell whether the same statement writes both."""
        return (
            self.table == other.table
            and self.deletes == other.deletes
            and self.keys == other.keys
            and self.row.keys() == other.row.keys()
        )


class RowMaker:
    """Makes changes of records, as `pk.mode`, `pk.fields` and `fields.whitelist` say."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._table_format: str = settings["table.name.format"]
        self._pk_mode: str = settings["pk.mode"]
        self._pk_fields: list[str] | None = settings["pk.fields"]
        self._whitelist: list[str] | None = settings["fields.whitelist"]
        self._deletes: bool = settings["delete.enabled"]

    def __call__(self, record: Record) -> Change:
        """Make the change. Raises DataError."""
        table = self._table_format.replace("${topic}", record.topic)
        keys = self._keys(record)
        if record.value is None:
            if not self._deletes:
                raise DataError("the record has no value; set delete.enabled=true if it is to delete its row")
            return Change(record, table, keys, tuple(keys), deletes=True)
        value = fields_of(record.value, "value")
        if self._whitelist is not None:
            value = {name: value[name] for name in self._whitelist if name in value}
        row = keys | {name: item for name, item in value.items() if name not in keys}
        return Change(record, table, row, tuple(keys))

    def _keys(self, record: Record) -> dict[str, Any]:
        match self._pk_mode:
            case "kafka":
                place = (record.topic, record.partition, record.offset)
                return dict(zip(self._pk_fields or KAFKA_FIELDS, place, strict=True))
            case "record_key":
                return self._keys_of_key(record.key)
            case "record_value":
                if record.value is None:
                    return {}
                return _picked(fields_of(record.value, "value"), self._pk_fields, "value")
            case _:
                return {}

    def _keys_of_key(self, key: Any) -> dict[str, Any]:
        if key is None:
            raise DataError("the record has no key, and pk.mode=record_key")
        if isinstance(key, dict):
            return _picked(key, self._pk_fields, "key")
        if self._pk_fields is None or len(self._pk_fields) != 1:
            raise DataError(f"the key is {type(key).__name__}; name its one column in pk.fields")
        return {self._pk_fields[0]: key}


def _picked(fields: dict[str, Any], wanted: list[str] | None, part: str) -> dict[str, Any]:
    picked = {name: fields[name] for name in wanted or fields if name in fields}
    if wanted and len(picked) < len(wanted):
        missing = ", ".join(name for name in wanted if name not in fields)
        raise DataError(f"the {part} has no field {missing}, which pk.fields names; it has {', '.join(fields)}")
    return picked
