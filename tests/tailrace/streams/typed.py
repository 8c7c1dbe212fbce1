"""What a type checker knows of a topology: `make check` checks this file, and nobody runs it."""

import re
from collections.abc import Iterator
from typing import assert_type

from msgspec import Struct

from tailrace.streams import (
    KeyValueStore,
    ProcessorContext,
    Queries,
    SessionStore,
    Sliding,
    Stored,
    StoredSessions,
    StoredWindows,
    Stream,
    Table,
    TableQuery,
    Topology,
    Tumbling,
    Windowed,
    WindowStore,
)


class Payment(Struct, frozen=True):
    """A value."""

    account: str
    amount: int


topology = Topology("typed")
payments = topology.stream("payments", Payment)
names = topology.table("names", str)

assert_type(payments, Stream[str, Payment])
assert_type(topology.stream(re.compile("refunds-.*"), Payment, key=int), Stream[int, Payment])
assert_type(payments.filter(lambda p: p.amount > 8), Stream[str, Payment])
assert_type(payments.filter(lambda key, p: len(key) > p.amount), Stream[str, Payment])
assert_type(payments.map_values(lambda p: p.amount), Stream[str, int])
assert_type(payments.map_values(lambda key, p: key.upper()), Stream[str, str])
assert_type(payments.flat_map(lambda key, p: [(p.amount, key)]), Stream[int, str])
assert_type(payments.select_key(lambda p: p.amount, key=int), Stream[int, Payment])
assert_type(payments.merge(topology.stream("numbers", int)), Stream[str, Payment | int])
assert_type(payments.group_by_key().count(), Table[str, int])
assert_type(payments.group_by_key().aggregate(0, lambda total, p: total + p.amount), Table[str, int])
assert_type(
    payments.group_by(lambda p: p.amount, key=int).windowed_by(Tumbling("1m")).count(), Table[Windowed[int], int]
)
assert_type(
    payments.group_by_key().windowed_by(Sliding("10m")).aggregate(0, lambda total, p: total + p.amount),
    Table[Windowed[str], int],
)
assert_type(payments.join(names, lambda p, name: (p.amount, name)), Stream[str, tuple[int, str]])
assert_type(payments.left_join(names, lambda key, p, name: (key, name)), Stream[str, tuple[str, str | None]])
assert_type(
    payments.outer_join(payments, lambda one, other: (one, other), within="5m"),
    Stream[str, tuple[Payment | None, Payment | None]],
)
assert_type(names.map_values(lambda name: len(name)).join(names, lambda a, b: (a, b)), Table[str, tuple[int, str]])
assert_type(names.group_by(lambda name: len(name), key=int).count(), Table[int, int])
assert_type(names.to_stream(), Stream[str, str | None])

orders = topology.table("orders", Payment)
sums = topology.table("sums", int, key=int)
assert_type(orders.join(names, lambda p, name: (p.amount, name), on=lambda p: p.account), Table[str, tuple[int, str]])
assert_type(
    orders.left_join(sums, lambda key, p, total: (key, total), on=lambda key, p: p.amount if key else None),
    Table[str, tuple[str, int | None]],
)
orders.join(sums, lambda p, total: total, on=lambda p: "alice")  # type: ignore[arg-type]

payments.filter(lambda p: p.nothing)  # type: ignore[attr-defined]
payments.join(names, lambda p: p)  # type: ignore[arg-type, misc]

sizes = payments.group_by_key().windowed_by(Tumbling("1m")).count()
assert_type(Queries().of(names).get("alice"), str | None)
assert_type(Queries().of(sizes).fetch("alice"), Iterator[tuple[Windowed[str], int]])
Queries().of(names).fetch("alice")  # type: ignore[call-overload, misc]

LAST = Stored("last", int, ttl="7d")
CLICKS = StoredWindows("clicks", int, bytes, size="1m", retention="1h")
VISITS = StoredSessions("visits", Payment, retention="1d")


class Processing:
    """A processor whose stores are typed."""

    def __init__(self, context: ProcessorContext) -> None:
        assert_type(context.store(LAST), KeyValueStore[str, int])
        assert_type(context.store(CLICKS), WindowStore[bytes, int])
        assert_type(context.store(VISITS), SessionStore[str, Payment])
        assert_type(context.store(CLICKS).fetch(b"a", 1), Iterator[tuple[Windowed[bytes], int]])
        context.store(LAST).put("a", "b")  # type: ignore[arg-type]

    def process(self, key: str, value: Payment) -> list[tuple[str, int]]:
        """Pass on the amount."""
        return [(key, value.amount)]


assert_type(payments.process(Processing, stores=[LAST, CLICKS, VISITS], key=str, value=int), Stream[str, int])
assert_type(Queries().of(LAST), TableQuery[str, int])
assert_type(Queries().of(CLICKS), TableQuery[Windowed[bytes], int])
assert_type(Queries().of(VISITS).fetch("a"), Iterator[tuple[Windowed[str], Payment]])
payments.process(Processing, stores=["last"])  # type: ignore[list-item]
