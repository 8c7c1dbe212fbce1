"""Types of keys and values as users name them, and the serdes that they stand for."""

from typing import Any, TypeVar

import msgspec

from tailrace.registry.client import Registry
from tailrace.registry.serde import AvroSerde, BytesSerde, JsonSerde, NumberSerde, Serde, StringSerde
from tailrace.streams.errors import TopologyError

T = TypeVar("T")

# A serde, or one of: str (UTF-8), bytes (as they are), dict (JSON), int and float (8 bytes big-endian, as Kafka's own
# serializers write long and double), a msgspec.Struct class (the Avro contract that the registry has for the topic).
Typed = Serde[T] | type[T]

STRING: Serde[Any] = StringSerde()
PLAIN: dict[type, Serde[Any]] = {
    str: STRING,
    bytes: BytesSerde(),
    dict: JsonSerde(dict),
    int: NumberSerde("q"),
    float: NumberSerde("d"),
}


def needs_contract(typed: Typed[T]) -> bool:
    """Whether a type stands for an Avro contract."""
    return isinstance(typed, type) and typed not in PLAIN and issubclass(typed, msgspec.Struct)


def serde_of(typed: Typed[T], topic: str, part: str, registry: Registry | None) -> Serde[T]:
    """The serde of a topic's keys or values (`part` is "key" or "value"). Raises TopologyError when there is none."""
    if not isinstance(typed, type):
        return typed
    if typed in PLAIN:
        return PLAIN[typed]
    if not issubclass(typed, msgspec.Struct):
        raise TopologyError(
            f"{topic}: no serde for {typed.__name__}; expected a serde, str, bytes, dict, int, float or a Struct class"
        )
    if registry is None:
        raise TopologyError(
            f"{topic}: {typed.__name__} stands for the topic's Avro contract, which needs a registry: "
            f"Topology(..., registry=RegistryClient(url)); for JSON say {part}=JsonSerde({typed.__name__})"
        )
    subject = f"{topic}-{part}"
    return AvroSerde(registry, subject, registry.latest(subject).schema, typed, register=False)
