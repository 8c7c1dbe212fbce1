"""ReplaceField: drops and renames fields."""

from typing import Any

from tailrace.connect.config import Key, Settings, names, pairs
from tailrace.connect.record import Record, Schema, fields_of


class ReplaceField:
    """Keeps the fields in `include` (all when it is empty) but those in `exclude`, then renames."""

    keys = (
        Key("include", "Fields to keep; all when left out.", names, None, ("whitelist",)),
        Key("exclude", "Fields to drop.", names, (), ("blacklist",)),
        Key("renames", "New names, as from:to pairs.", pairs, {}),
    )
    two_sided = True

    def __init__(self, settings: Settings) -> None:
        self._include: list[str] | None = settings["include"]
        self._exclude: frozenset[str] = frozenset(settings["exclude"])
        self._renames: dict[str, str] = settings["renames"]
        self._side: str = settings["side"]

    def apply(self, record: Record) -> Record:
        """Drop and rename."""
        if self._side == "key":
            record.key = self._replace(record.key)
        else:
            record.value = self._replace(record.value)
        return record

    def schema(self, schema: Schema) -> Schema:
        """Drop and rename the schema's fields."""
        if self._side == "key" or "fields" not in schema:
            return schema
        kept = [field for field in schema["fields"] if self._keeps(field["name"])]
        return schema | {"fields": [field | {"name": self._renamed(field["name"])} for field in kept]}

    def _replace(self, struct: Any) -> dict[str, Any] | None:
        if struct is None:
            return None
        fields = fields_of(struct, self._side)
        return {self._renamed(name): value for name, value in fields.items() if self._keeps(name)}

    def _keeps(self, name: str) -> bool:
        return name not in self._exclude and (self._include is None or name in self._include)

    def _renamed(self, name: str) -> str:
        return self._renames.get(name, name)
