"""Last stable offset and aborted transactions: readers of committed records see exactly what was committed."""

from collections.abc import Callable
from typing import NamedTuple

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from kio.schema.errors import ErrorCode

from .conftest import READ_COMMITTED, ProducerState, Wire, until

PRODUCERS = 3
UNCOMMITTED = 0


class Write(NamedTuple):
    """A transactional producer writes, beginning a transaction when it has none."""

    producer: int


class End(NamedTuple):
    """A transactional producer ends its transaction, if it has one."""

    producer: int
    committed: bool


class Plain(NamedTuple):
    """Somebody without transactions writes."""


class Restart(NamedTuple):
    """A producer is initialized again, which aborts what it left open."""

    producer: int


numbers = st.integers(0, PRODUCERS - 1)
steps = st.lists(
    st.builds(Write, numbers) | st.builds(End, numbers, st.booleans()) | st.builds(Plain) | st.builds(Restart, numbers),
    max_size=25,
)
Step = Write | End | Plain | Restart


class Model:
    """What a log holds, as (value, writer, outcome) in order: None for an outcome that is open."""

    def __init__(self, wire: Wire, topic: str) -> None:
        self.wire = wire
        self.topic = topic
        self.producers: dict[int, ProducerState] = {}
        self.open: dict[int, list[int]] = {}
        self.values: list[bytes] = []
        self.outcomes: list[bool | None] = []

    def take(self, step: Step) -> None:
        value = b"%d" % len(self.values)
        match step:
            case Plain():
                self.wire.append(self.topic, value)
                self._add(value, True)
            case Write(number):
                producer = self._producer(number)
                self.wire.write(producer, self.topic, value, added=number in self.open)
                self.open.setdefault(number, []).append(len(self.values))
                self._add(value, None)
            case End(number, committed) if number in self.open:
                assert self.wire.end(self.producers[number], committed=committed) is ErrorCode.none
                self._decide(number, committed)
            case Restart(number) if number in self.producers:
                self.producers[number] = self.wire.initialize(self.producers[number].transactional_id)
                if number in self.open:
                    self._decide(number, False)

    def _producer(self, number: int) -> ProducerState:
        if number not in self.producers:
            self.producers[number] = self.wire.initialize(self.wire.unique("txn"))
        return self.producers[number]

    def _add(self, value: bytes, outcome: bool | None) -> None:
        self.values.append(value)
        self.outcomes.append(outcome)

    def _decide(self, number: int, committed: bool) -> None:
        for index in self.open.pop(number):
            self.outcomes[index] = committed

    def committed(self) -> list[bytes]:
        """What can be read now: nothing behind the first record whose outcome is open."""
        end = next((index for index, outcome in enumerate(self.outcomes) if outcome is None), len(self.outcomes))
        return [value for value, outcome in zip(self.values[:end], self.outcomes[:end], strict=True) if outcome]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
@example([Write(0), Write(1), End(0, False), Write(0), End(1, True), End(0, True)])
@example([Write(0), End(0, False), Write(0), End(0, True), Write(0), End(0, False), Plain()])
@example([Write(0), Restart(0), Write(0), Plain(), End(0, True)])
def test_readers_see_exactly_what_is_committed(wire: Wire, steps: list[Step]) -> None:
    topic = wire.topic()
    model = Model(wire, topic)
    for step in steps:
        model.take(step)
        wanted = model.committed()
        # Apache Kafka answers an end before its markers are written.
        until(lambda wanted=wanted: wire.values(topic, isolation_level=READ_COMMITTED) == wanted)  # type: ignore[misc]
    assert wire.values(topic, isolation_level=UNCOMMITTED) == model.values
    for offset in range(wire.end_offset(topic)):
        wanted = [
            record.value for record in wire.records(topic, isolation_level=READ_COMMITTED) if record.offset >= offset
        ]
        assert wire.values(topic, offset, isolation_level=READ_COMMITTED) == wanted


def test_the_last_stable_offset_is_where_the_first_open_transaction_begins(wire: Wire) -> None:
    topic = wire.topic()
    first, second = (wire.initialize(wire.unique("txn")) for _ in range(2))
    wire.append(topic, b"plain")
    wire.write(first, topic, b"a")
    wire.write(second, topic, b"b")

    def stable() -> tuple[int, int]:
        answer = wire.fetch(topic, 1)
        return answer.last_stable_offset, answer.high_watermark

    assert stable() == (1, 3)
    wire.end(first, committed=True)
    until(lambda: stable() == (2, 4))
    wire.end(second, committed=False)
    until(lambda: stable() == (5, 5))


def test_list_offsets_gives_the_end_that_a_reader_sees(wire: Wire) -> None:
    topic = wire.topic()
    producer = wire.initialize(wire.unique("txn"))
    wire.append(topic, b"plain")
    wire.write(producer, topic, b"open")
    assert wire.list_offset(topic, -1, isolation_level=UNCOMMITTED).offset == 2
    assert wire.list_offset(topic, -1, isolation_level=READ_COMMITTED).offset == 1


def test_aborted_transactions_are_named_where_they_overlap_what_is_read(wire: Wire) -> None:
    topic = wire.topic()
    producer = wire.initialize(wire.unique("txn"))
    wire.write(producer, topic, b"a")
    wire.write(producer, topic, b"b", added=True)
    wire.end(producer, committed=False)
    until(lambda: wire.end_offset(topic) == 3)
    wire.append(topic, b"plain")

    def aborted(offset: int, isolation_level: int = READ_COMMITTED) -> list[tuple[int, int]] | None:
        found = wire.fetch(topic, offset, isolation_level=isolation_level).aborted_transactions
        return None if found is None else [(entry.producer_id, entry.first_offset) for entry in found]

    assert aborted(0) == aborted(1) == aborted(2) == [(producer.id, 0)]
    assert not aborted(3)
    assert aborted(0, UNCOMMITTED) is None


def test_a_reader_waits_at_the_last_stable_offset_and_wakes_when_it_moves(
    wire: Wire, connect: Callable[[], Wire]
) -> None:
    from .conftest import fetch_fields

    topic = wire.topic()
    producer = wire.initialize(wire.unique("txn"))
    wire.write(producer, topic, b"v")
    reader = connect()
    fields = fetch_fields({(topic, 0): 0}, max_wait=10_000, isolation_level=READ_COMMITTED)
    asked = reader.send("fetch", 11, **fields)
    wire.append(topic, b"plain")
    assert reader.is_silent()
    wire.end(producer, committed=True)
    [partition] = reader.receive(asked).responses[0].partitions
    assert partition.records
