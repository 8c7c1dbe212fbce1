"""The transforms of a connector, one after the other.

Named and configured as in Apache Kafka Connect: `transforms=key,extract`, `transforms.key.type=ValueToKey`,
`transforms.key.fields=id`, ... A transform works on records and, by the same rule, on the schema of their values.
"""

from collections.abc import Iterable, Mapping
from typing import ClassVar, Protocol

from tailrace.connect.config import Key, Settings, names, parse_config, with_prefix
from tailrace.connect.errors import ConfigError
from tailrace.connect.plugins import find_plugin
from tailrace.connect.record import Record, Schema


class Transform(Protocol):
    """One step; made with its settings, which hold `side` ("key" or "value") where the transform has two sides."""

    keys: ClassVar[tuple[Key, ...]]
    two_sided: ClassVar[bool]

    def __init__(self, settings: Settings) -> None: ...

    def apply(self, record: Record) -> Record | None:
        """Give the record changed, or None to drop it; its schema is not touched. Raises DataError."""

    def schema(self, schema: Schema) -> Schema:
        """Give the schema that values of this schema have afterwards."""


class Chain:
    """All transforms of one connector, in order."""

    def __init__(self, transforms: Iterable[Transform] = ()) -> None:
        self._transforms = tuple(transforms)
        self._last: tuple[Schema, Schema] | None = None

    def __call__(self, record: Record) -> Record | None:
        """Send a record through; None means that it was dropped. Raises DataError."""
        for transform in self._transforms:
            transformed = transform.apply(record)
            if transformed is None:
                return None
            record = transformed
        if record.schema is not None and self._transforms:
            record.schema = self._schema(record.schema)
        return record

    def _schema(self, schema: Schema) -> Schema:
        # Neighbouring records nearly always share one schema object.
        if self._last is None or self._last[0] is not schema:
            transformed = schema
            for transform in self._transforms:
                transformed = transform.schema(transformed)
            self._last = (schema, transformed)
        return self._last[1]


def make_chain(config: Mapping[str, str]) -> Chain:
    """Make the chain that `transforms` and the keys below `transforms.` describe. Raises ConfigError."""
    given = config.get("transforms", "")
    try:
        steps = names(given) if given.strip() else []
    except ValueError as expected:
        raise ConfigError(f"transforms={given!r} is not allowed, expected {expected}") from None
    for key, value in with_prefix(config, "transforms.").items():
        if key.split(".")[0] not in steps:
            raise ConfigError(f"transforms.{key}={value!r} belongs to no transform; there are transforms={given!r}")
    return Chain(_transform(f"transforms.{step}", with_prefix(config, f"transforms.{step}.")) for step in steps)


def _transform(owner: str, config: dict[str, str]) -> Transform:
    named = config.pop("type", "")
    name, _, side = named.partition("$")
    plugin: type[Transform] = find_plugin(f"{owner}.type", name, "transformation").load()
    allowed = ("Key", "Value") if plugin.two_sided else ("",)
    if side not in allowed:
        forms = " or ".join(f"{name}${side}" if side else name for side in allowed)
        raise ConfigError(f"{owner}.type={named!r} is not allowed, expected {forms}")
    return plugin(parse_config(owner, config, plugin.keys) | {"side": side.lower()})
