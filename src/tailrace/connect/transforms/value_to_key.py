"""ValueToKey: makes the key of fields of the value."""

from tailrace.connect.config import Key, Settings, names
from tailrace.connect.errors import DataError
from tailrace.connect.record import Record, Schema, fields_of


class ValueToKey:
    """The key becomes the fields named; `ExtractField$Key` may then reduce it to one of them."""

    keys = (Key("fields", "Fields of the value that make the key.", names),)
    two_sided = False

    def __init__(self, settings: Settings) -> None:
        self._fields: list[str] = settings["fields"]

    def apply(self, record: Record) -> Record:
        """Set the key."""
        value = fields_of(record.value, "value")
        try:
            record.key = {field: value[field] for field in self._fields}
        except KeyError as missing:
            raise DataError(f"ValueToKey: the value has no field {missing}, it has {', '.join(value)}") from None
        return record

    def schema(self, schema: Schema) -> Schema:
        """Leave the value's schema as it is."""
        return schema
