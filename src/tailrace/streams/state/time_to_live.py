"""Values by key that expire when they were not put for long enough."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tailrace.registry.errors import SerdeError
from tailrace.registry.serde import Serde
from tailrace.streams.state.expiry import Expiring, Expiry, expiry_spec
from tailrace.streams.state.kept import KeptByKey
from tailrace.streams.state.key_value import KeyValueStore
from tailrace.streams.state.store import Store, StoreSpec
from tailrace.streams.state.store_builder import Built
from tailrace.streams.state.stream_time import StreamTime
from tailrace.streams.windows import START

if TYPE_CHECKING:
    from tailrace.streams.task import Task

V = TypeVar("V")


class TimedSerde(Generic[V]):
    """Values with the time that they were put at, as Kafka Streams' ValueAndTimestampSerializer has them."""

    def __init__(self, value: Serde[V]) -> None:
        self._value = value

    def encode(self, value: tuple[int, V]) -> bytes:
        """Give the bytes of a time and a value."""
        return START.encode(value[0]) + self._value.encode(value[1])

    def decode(self, data: bytes) -> tuple[int, V]:
        """Give the time and the value of bytes."""
        if len(data) < 8:
            raise SerdeError(f"{data!r} is no value with a time; expected 8 bytes and a value")
        return START.decode(data[:8]), self._value.decode(data[8:])


class TimedValues(Expiring[V]):
    """Values by encoded key, each until it was not put for `ttl_ms`, by the time of the task."""

    def __init__(self, store: Store[tuple[int, V]], keys: Store[bool], ttl_ms: int, time: StreamTime) -> None:
        super().__init__(store, ttl_ms, _alive, time)
        self._expiry = Expiry(keys, ttl_ms)

    def put(self, key: bytes, value: V | None) -> None:
        """Set a value, or delete it."""
        now_ms = max(self._time.now, 0)
        before: tuple[int, V] | None = self._store.get(key)
        self._store.put(key, None if value is None else (now_ms, value))
        if before is not None and (value is None or self._expiry.span(before[0]) != self._expiry.span(now_ms)):
            self._expiry.forget(key, before[0])
        if value is not None:
            self._expiry.expect(key, now_ms)

    def delete_expired(self, now_ms: int) -> None:
        """See Expiring."""
        for _, key in self._expiry.expired(now_ms):
            self._store.put(key, None)

    def reset(self) -> None:
        """See Expiring."""
        self._expiry.reset()


@dataclass(frozen=True)
class TimedStoreBuilder:
    """Makes the key-value store of a name, whose values expire, in each task."""

    kept: KeptByKey
    value: Serde[Any]
    changelog: bool
    ttl_ms: int

    @property
    def specs(self) -> tuple[StoreSpec, ...]:
        """See StoreBuilder."""
        name = self.kept.store
        return StoreSpec(name, TimedSerde(self.value), self.changelog), expiry_spec(name, self.changelog)

    def build(self, task: "Task") -> Built:
        """See StoreBuilder."""
        store, keys = (task.store(spec.name) for spec in self.specs)
        values: TimedValues[Any] = TimedValues(store, keys, self.ttl_ms, task.time)
        return Built(KeyValueStore(values, self.kept), values.committed, values)


def _alive(key: bytes, kept: tuple[int, V], expired: int) -> V | None:
    return kept[1] if kept[0] > expired else None
