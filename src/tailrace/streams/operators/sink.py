"""Sinks: write records to a topic, to one that a function chooses, or each to the topic for its value's type."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tailrace.registry.serde import AvroSerde, BytesSerde, Serde, StringSerde
from tailrace.streams.code.code import Code
from tailrace.streams.code.flow import RARELY, Flow, Forward
from tailrace.streams.node import Stateless
from tailrace.streams.operators.decide import Decide
from tailrace.streams.operators.function import Function, call, name_of
from tailrace.streams.record import Record

# A record's headers, given the message that it comes from.
HeaderFunction = Callable[[Record], list[tuple[str, str | bytes | None]] | None]


@dataclass(frozen=True, eq=False)
class Sink(Stateless):
    """Writes to `topic`, which is a name or a function that chooses one.

    The partition is that of the key; a journal's records go to the task's own partition, wherever a key would hash to,
    because state is restored from there.
    """

    topic: str | Function
    key: Serde[Any]
    value: Serde[Any]
    nullable: bool = False
    journal_of: Decide | None = None
    headers: HeaderFunction | None = None

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        topic = repr(self.topic) if isinstance(self.topic, str) else call(code, flow, self.topic, "topic")
        partition, value = self.partition(code, flow), self.value_of(code, flow)
        key = encoded(code, self.key, flow.key, flow.key_bytes, flow.key_serde, nullable=True)
        headers = "None" if self.headers is None else f"{code.constant(self.headers, 'headers')}({flow.record})"
        # An event that cannot be written is a failure of its decision, whose effects are undone with it.
        if code.names.guards_writes and self.journal_of is None and (key, value) != (flow.key_bytes, flow.value_bytes):
            topic = topic if isinstance(self.topic, str) else code.assign("topic", topic)
            key, value = self._guarded(code, flow, topic, key, value)
            with code.block("else:"):
                self._emit(code, f"{topic}, {partition}, {key}, {value}, {headers}, {flow.timestamp}")
        else:
            self._emit(code, f"{topic}, {partition}, {key}, {value}, {headers}, {flow.timestamp}")

    def _guarded(self, code: Code, flow: Flow, topic: str, key: str, value: str) -> tuple[str, str]:
        """Write how key and value are encoded, or left out where that fails; their variables."""
        key_bytes, value_bytes = code.names.new("key_bytes"), code.names.new("value_bytes")
        with code.block("try:"):
            code.line(f"{key_bytes}, {value_bytes} = {key}, {value}")
        with code.block("except Exception as error:"):
            code.line(f"{code.member('failures.unwritable')}({flow.record}, {topic}, error)")
        return key_bytes, value_bytes

    def _emit(self, code: Code, output: str) -> None:
        code.line(f"{code.member('emit')}(({output}))")

    def describe(self) -> str:
        """See Operator."""
        return f"to {self.topic if isinstance(self.topic, str) else name_of(self.topic)}"

    def partition(self, code: Code, flow: Flow) -> str:
        """The expression for the partition; -1 for that of the key."""
        return "-1" if self.journal_of is None else code.member("partition")

    def value_of(self, code: Code, flow: Flow) -> str:
        """The expression for the value's bytes."""
        return encoded(code, self.value, flow.value, flow.value_bytes, flow.value_serde, nullable=self.nullable)


@dataclass(frozen=True, eq=False)
class Router(Stateless):
    """Hands each value to the sink for its type; a value of another type is a mistake and raises TypeError."""

    sinks: Mapping[type, Sink]

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        kind = code.assign("kind", f"type({flow.value})")
        for number, (wanted, sink) in enumerate(self.sinks.items()):
            with code.block(f"{'elif' if number else 'if'} {kind} is {code.constant(wanted, wanted.__name__)}:"):
                sink.emit(code, flow, forward)
        with code.block("else:"):
            code.line(f"raise TypeError(f'no route for a {{{kind}.__name__}}; there are routes for {self._types()}')")

    def describe(self) -> str:
        """See Operator."""
        return "to " + ", ".join(f"{sink.topic} ({kind.__name__})" for kind, sink in self.sinks.items())

    def _types(self) -> str:
        return ", ".join(kind.__name__ for kind in self.sinks)


def encoded(
    code: Code, serde: Serde[Any], variable: str, original: str | None, read_with: Serde[Any] | None, *, nullable: bool
) -> str:
    """The expression for a part's bytes: the original ones if they are what the serde would make of it."""
    encode = f"{code.constant(serde.encode, 'encode')}({variable})"
    if original is not None and read_with is not None:
        if serde is read_with or (type(serde) is type(read_with) and isinstance(serde, StringSerde | BytesSerde)):
            return original
        if isinstance(serde, AvroSerde) and isinstance(read_with, AvroSerde):
            writes = code.constant(serde.writes, "writes")
            if (variable, original) == ("value", "value_bytes") and serde.has_schema_of(read_with):
                encode = f"{code.constant(serde.encode, 'encode')}({RARELY})"
            return f"{original} if {original} is None or {writes}({original}) else {encode}"
    return f"None if {variable} is None else {encode}" if nullable else encode
