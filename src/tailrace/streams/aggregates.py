"""Aggregates: what is kept of many values, as small classes."""

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from tailrace.streams.errors import TopologyError

V = TypeVar("V")
A = TypeVar("A")
V_contra = TypeVar("V_contra", contravariant=True)


class Aggregate(Protocol[V_contra, A]):
    """How values become one. Aggregates are never changed in place: `add` gives a new one.

    It may have more methods: `subtract(aggregate, value)`, which takes a value out again, for tables; `merge(one,
    other)`, for sessions that grow together; `result(aggregate)`, what is passed on, if that is not all of it.
    """

    def initial(self) -> A:
        """The aggregate of no value."""

    def add(self, aggregate: A, value: V_contra) -> A:
        """The aggregate with one more value."""


class Functions(Generic[V, A]):
    """An aggregate made of functions; `initial` is the aggregate of no value."""

    def __init__(
        self,
        initial: A,
        add: Callable[[A, V], A],
        subtract: Callable[[A, V], A] | None = None,
        merge: Callable[[A, A], A] | None = None,
    ) -> None:
        self._initial = initial
        self.add = add
        if subtract is not None:
            self.subtract = subtract
        if merge is not None:
            self.merge = merge

    def initial(self) -> A:
        """See Aggregate."""
        return self._initial


class Count:
    """How many values there were."""

    def initial(self) -> int:
        """See Aggregate."""
        return 0

    def add(self, aggregate: int, value: object) -> int:
        """See Aggregate."""
        return aggregate + 1

    def subtract(self, aggregate: int, value: object) -> int:
        """See Aggregate."""
        return aggregate - 1

    def merge(self, one: int, other: int) -> int:
        """See Aggregate."""
        return one + other


class Reduce(Generic[V]):
    """Values of one type become one of the same; the first is taken as it is."""

    def __init__(self, add: Callable[[V, V], V], subtract: Callable[[V, V], V] | None = None) -> None:
        self._add = add
        if subtract is not None:
            self.subtract = subtract

    def initial(self) -> V | None:
        """See Aggregate."""
        return None

    def add(self, aggregate: V | None, value: V) -> V:
        """See Aggregate."""
        return value if aggregate is None else self._add(aggregate, value)

    def merge(self, one: V, other: V) -> V:
        """See Aggregate."""
        return self._add(one, other)


# Types whose objects can be changed in place, so that giving back the same object may mean that it was; by name, since
# not all are there.
MUTABLE = {
    "builtins.list",
    "builtins.dict",
    "builtins.set",
    "builtins.bytearray",
    "array.array",
    "collections.deque",
    "numpy.ndarray",
}


def check_new(before: Any, after: Any) -> Any:
    """Give `after`. Raises TopologyError for an aggregate that `add` may have changed in place."""
    if after is before and not MUTABLE.isdisjoint(f"{kind.__module__}.{kind.__name__}" for kind in type(after).__mro__):
        raise TopologyError(
            f"add gave back the same {type(after).__name__}; an aggregate is never changed in place, since what was "
            "not committed could not be undone then: make a new one"
        )
    return after
