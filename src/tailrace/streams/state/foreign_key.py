"""What the two sides of a join by a foreign key tell each other, and what each of them keeps.

The table with the foreign keys subscribes to the rows of the other one, which keeps who has subscribed and answers: at
once, and whenever the row changes.
"""

import struct
from collections.abc import Iterator
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from tailrace.registry.errors import SerdeError
from tailrace.registry.serde import Serde
from tailrace.streams.state.store import Store

L = TypeVar("L")
R = TypeVar("R")

_SUBSCRIPTION = struct.Struct(">i?")
_SIZE = struct.Struct(">I")


class Subscription(NamedTuple):
    """That a row of the first table, of this key and partition, has the foreign key from now on, or has it no more."""

    key: bytes
    partition: int
    is_wanted: bool


class SubscriptionSerde:
    """Subscriptions: the partition in 4 bytes, 1 or 0 for whether it is wanted, the key."""

    def encode(self, value: Subscription) -> bytes:
        """Give a subscription's bytes."""
        return _SUBSCRIPTION.pack(value.partition, value.is_wanted) + value.key

    def decode(self, data: bytes) -> Subscription:
        """Give the subscription of bytes."""
        if len(data) < _SUBSCRIPTION.size:
            raise SerdeError(f"{data!r} is no subscription; expected at least {_SUBSCRIPTION.size} bytes")
        partition, is_wanted = _SUBSCRIPTION.unpack_from(data)
        return Subscription(data[_SUBSCRIPTION.size :], partition, is_wanted)


def place_of(foreign_key: bytes, key: bytes) -> bytes:
    """Where a subscription is kept: those of one foreign key together, whatever bytes keys are made of."""
    return _SIZE.pack(len(foreign_key)) + foreign_key + key


def subscribers(store: Store[int], foreign_key: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield keys and partitions of the rows that have a foreign key, in the order of the keys' bytes."""
    prefix = place_of(foreign_key, b"")
    # The first place behind all that begin so; the bytes of the size keep it from running over.
    end = (int.from_bytes(prefix, "big") + 1).to_bytes(len(prefix), "big")
    for place, partition in store.range(prefix, end):
        yield place[len(prefix) :], partition


class Answer(NamedTuple, Generic[R]):
    """The value of the other table's key, or None."""

    foreign_key: bytes
    value: R | None


def answer_of(foreign_key: bytes, value: bytes | None) -> bytes:
    """Give an answer's bytes: the foreign key's size in 4 bytes, the foreign key, a byte 1 and the value, or 0."""
    return place_of(foreign_key, b"\0" if value is None else b"\1" + value)


class AnswerSerde(Generic[R]):
    """Answers, as `answer_of` writes them."""

    def __init__(self, value: Serde[R]) -> None:
        self._value = value

    def encode(self, value: Answer[R]) -> bytes:
        """Give an answer's bytes."""
        return answer_of(value.foreign_key, None if value.value is None else self._value.encode(value.value))

    def decode(self, data: bytes) -> Answer[R]:
        """Give the answer of bytes."""
        if len(data) <= _SIZE.size or len(data) <= (end := _SIZE.size + _SIZE.unpack_from(data)[0]):
            raise SerdeError(f"{data[:50]!r} is no answer of a join")
        return Answer(data[_SIZE.size : end], self._value.decode(data[end + 1 :]) if data[end] else None)


class Row(NamedTuple, Generic[L, R]):
    """What the first table keeps of a key: its foreign key, and the two values whose result was passed on last.

    `is_answered`: whether they are of this foreign key; otherwise they are of the one before, until the answer comes.
    """

    foreign_key: bytes | None
    left: L | None
    right: R | None
    is_answered: bool


class RowSerde(Generic[L, R]):
    """Rows as msgpack, with their values in bytes of their own."""

    def __init__(self, left: Serde[L], right: Serde[R]) -> None:
        self._left = left
        self._right = right
        self._decoder = msgspec.msgpack.Decoder(tuple[bytes | None, bytes | None, bytes | None, bool])

    def encode(self, value: Row[L, R]) -> bytes:
        """Give a row's bytes."""
        left = None if value.left is None else self._left.encode(value.left)
        right = None if value.right is None else self._right.encode(value.right)
        return msgspec.msgpack.encode((value.foreign_key, left, right, value.is_answered))

    def decode(self, data: bytes) -> Row[L, R]:
        """Give the row of bytes."""
        try:
            foreign_key, left, right, is_answered = self._decoder.decode(data)
        except msgspec.DecodeError as error:
            raise SerdeError(f"{data[:50]!r} is no row of a join: {error}") from error
        return Row(
            foreign_key,
            None if left is None else self._left.decode(left),
            None if right is None else self._right.decode(right),
            is_answered,
        )


def changed(row: Row[Any, Any] | None, foreign_key: bytes | None, value: Any) -> Row[Any, Any] | None:
    """The row after a change of the first table's value; the same one where an answer has to come first."""
    if value is None:
        return None
    if foreign_key is None:
        return Row(None, value, None, True)
    if row is None:
        return Row(foreign_key, None, None, False)
    if row.foreign_key != foreign_key:
        return Row(foreign_key, row.left, row.right, False)
    return Row(foreign_key, value, row.right, True) if row.is_answered else row


def answered(row: Row[Any, Any] | None, answer: Answer[Any], value: Any) -> Row[Any, Any] | None:
    """The row after an answer; the same one if it has another foreign key by now. `value`: the first table's."""
    if row is None or row.foreign_key != answer.foreign_key or value is None:
        return row
    return Row(answer.foreign_key, value, answer.value, True)
