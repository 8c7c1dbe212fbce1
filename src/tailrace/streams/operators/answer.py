"""Joins of tables by a foreign key, on the side of the other table: who has subscribed, and what they are answered."""

from dataclasses import dataclass, replace

from tailrace.registry.serde import NumberSerde
from tailrace.streams.code.code import Code
from tailrace.streams.code.flow import Flow, Forward
from tailrace.streams.node import Stateless
from tailrace.streams.operators.foreign_key import ForeignJoin
from tailrace.streams.operators.sink import Sink, encoded
from tailrace.streams.operators.table import value_of
from tailrace.streams.state.foreign_key import answer_of, place_of, subscribers
from tailrace.streams.state.store import StoreSpec
from tailrace.streams.types import PLAIN

PARTITION: NumberSerde[int] = NumberSerde("i")


@dataclass(frozen=True, eq=False)
class AnswerSubscriptions:
    """Keeps subscriptions, and answers each with the value that its foreign key has."""

    join: ForeignJoin

    @property
    def stores(self) -> tuple[StoreSpec, ...]:
        """See Operator."""
        return (StoreSpec(self.join.subscriptions, PARTITION, changelog=True),)

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        with code.keyed(flow):
            put = code.store(self.join.subscriptions, "put")
            place = f"{code.constant(place_of, 'place_of')}({flow.key_bytes}, {flow.value}.key)"
            with code.block(f"if {flow.value}.is_wanted:"):
                code.line(f"{put}({place}, {flow.value}.partition)")
                other = value_of(code, self.join.other, flow.key, str(flow.key_bytes))
                data = encoded(code, self.join.right, other, None, None, nullable=True)
                answer = f"{code.constant(answer_of, 'answer_of')}({flow.key_bytes}, {data})"
                forward_answer(code, flow, f"{flow.value}.key", f"{flow.value}.partition", answer, forward)
            with code.block("else:"):
                code.line(f"{put}({place}, None)")

    def describe(self) -> str:
        """See Operator."""
        return f"answer with {self.join.other.name}"


@dataclass(frozen=True, eq=False)
class AnswerChanges(Stateless):
    """Answers all who have subscribed to a key whose value has changed."""

    join: ForeignJoin

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        store = code.shared(
            ("store", self.join.subscriptions), lambda task: task.store(self.join.subscriptions), "store"
        )
        key, partition = code.names.new("key"), code.names.new("partition")
        value = encoded(code, self.join.right, flow.value, flow.value_bytes, flow.value_serde, nullable=True)
        answer = code.assign("answer", f"{code.constant(answer_of, 'answer_of')}({flow.key_bytes}, {value})")
        those = f"{code.constant(subscribers, 'subscribers')}({store}, {flow.key_bytes})"
        with code.block(f"for {key}, {partition} in {those}:"):
            forward_answer(code, flow, key, partition, answer, forward)

    def describe(self) -> str:
        """See Operator."""
        return f"answer with changes of {self.join.other.name}"


@dataclass(frozen=True, eq=False)
class AnswerSink(Sink):
    """Writes answers to the partitions that they are for, wherever keys would hash to."""

    def partition(self, code: Code, flow: Flow) -> str:
        """See Sink."""
        return f"{flow.value}[0]"

    def value_of(self, code: Code, flow: Flow) -> str:
        """See Sink."""
        return f"{flow.value}[1]"


def forward_answer(code: Code, flow: Flow, key: str, partition: str, answer: str, forward: Forward) -> None:
    """Write that an answer, as bytes, is passed on with the partition that it is for."""
    directed = code.assign("directed", f"({partition}, {answer})")
    forward(
        code,
        replace(flow, key=key, key_bytes=key, value=directed, value_bytes=None, key_serde=PLAIN[bytes], old=None),
    )
