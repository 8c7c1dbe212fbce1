"""Tables grouped by something else: a change takes a value out of one group and puts one into another."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, TypeVar

from tailrace.registry.errors import SerdeError
from tailrace.registry.serde import NumberSerde, Serde
from tailrace.streams.code.code import Code
from tailrace.streams.code.flow import Flow, Forward
from tailrace.streams.node import Stateless
from tailrace.streams.operators.function import Function, name_of

V = TypeVar("V")

_SIZE: NumberSerde[int] = NumberSerde("i")


class Change(NamedTuple, Generic[V]):
    """What a key of a table had, and has; either may be None."""

    old: V | None
    new: V | None


class ChangeSerde(Generic[V]):
    """A change: the size of the old value in 4 bytes, or -1 for none, the old value, a byte 1 and the new one, or 0."""

    def __init__(self, value: Serde[V]) -> None:
        self._value = value

    def encode(self, value: Change[V]) -> bytes:
        """Give a change's bytes."""
        old = None if value.old is None else self._value.encode(value.old)
        head = _SIZE.encode(-1) if old is None else _SIZE.encode(len(old)) + old
        return head + (b"\0" if value.new is None else b"\1" + self._value.encode(value.new))

    def decode(self, data: bytes) -> Change[V]:
        """Give the change of bytes."""
        size = _SIZE.decode(data[:4])
        end = 4 + max(size, 0)
        if size < -1 or len(data) <= end:
            raise SerdeError(f"{data[:50]!r} is no change of a table")
        old = None if size < 0 else self._value.decode(data[4:end])
        return Change(old, self._value.decode(data[end + 1 :]) if data[end] else None)


@dataclass(frozen=True, eq=False)
class Regroup(Stateless):
    """Passes on each change under the group of its values: as one where old and new are in the same, else as two."""

    selector: Function
    wants_key: bool

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        key, value = code.names.new("key"), code.names.new("value")
        changes = f"{code.constant(self._changes, 'changes')}({flow.key}, {flow.old}, {flow.value})"
        with code.block(f"for {key}, {value} in {changes}:"):
            forward(code, replace(flow, key=key, value=value, key_bytes=None, value_bytes=None, old=None))

    def describe(self) -> str:
        """See Operator."""
        return f"group by {name_of(self.selector)}"

    def _changes(self, key: Any, old: Any, new: Any) -> Iterator[tuple[Any, Change[Any]]]:
        left = None if old is None else self._group(key, old)
        entered = None if new is None else self._group(key, new)
        if old is not None and new is not None and left == entered:
            yield entered, Change(old, new)
            return
        if left is not None:
            yield left, Change(old, None)
        if entered is not None:
            yield entered, Change(None, new)

    def _group(self, key: Any, value: Any) -> Any:
        return self.selector(key, value) if self.wants_key else self.selector(value)
