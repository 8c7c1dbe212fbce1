"""ExtractField: reduces a key or value to one of its fields."""

from typing import Any

from tailrace.connect.config import Key, Settings, text
from tailrace.connect.errors import DataError
from tailrace.connect.record import Record, Schema, fields_of


class ExtractField:
    """The key or value becomes the value of one field; nothing stays nothing."""

    keys = (Key("field", "The field to take.", text),)
    two_sided = True

    def __init__(self, settings: Settings) -> None:
        self._field: str = settings["field"]
        self._side: str = settings["side"]

    def apply(self, record: Record) -> Record:
        """Reduce the side to the field."""
        if self._side == "key":
            record.key = self._extract(record.key)
        else:
            record.value = self._extract(record.value)
        return record

    def schema(self, schema: Schema) -> Schema:
        """Give the field's schema."""
        if self._side == "key":
            return schema
        for field in schema["fields"]:
            if field["name"] == self._field:
                type_ = field["type"]
                return type_ if isinstance(type_, dict) else {"type": type_}
        return schema

    def _extract(self, struct: Any) -> Any:
        if struct is None:
            return None
        fields = fields_of(struct, self._side)
        try:
            return fields[self._field]
        except KeyError:
            raise DataError(
                f"ExtractField: the {self._side} has no field {self._field!r}, it has {', '.join(fields)}"
            ) from None
