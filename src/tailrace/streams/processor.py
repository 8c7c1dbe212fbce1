"""Processors of one's own: code with state and a clock, in the middle of a stream.

class Silence:
    def __init__(self, context: ProcessorContext) -> None:
        self._last = context.store("last")
        self._context = context
        context.schedule("10s", self._look)

    def process(self, key, value):
        self._last.put(key, self._context.timestamp)
        yield key, value

    def _look(self, now_ms):
        for key, last in self._last.all():
            if now_ms - last > 60_000:
                yield key, "silent"

stream.process(Silence, stores=[Stored("last", int)]).to("states")
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

from tailrace.streams.errors import TopologyError
from tailrace.streams.record import Record
from tailrace.streams.state.expiry import Sweep
from tailrace.streams.state.key_value import KeyValueStore
from tailrace.streams.state.session_store import SessionStore
from tailrace.streams.state.store_builder import Built
from tailrace.streams.state.window_store import WindowStore
from tailrace.streams.stored import AnyStored, Stored, StoredSessions, StoredWindows
from tailrace.streams.windows import Duration, milliseconds

if TYPE_CHECKING:
    from tailrace.streams.task import Task

K = TypeVar("K")
V = TypeVar("V")
K_contra = TypeVar("K_contra", contravariant=True)
V_contra = TypeVar("V_contra", contravariant=True)

# What is passed on: keys and values; None is as good as nothing.
Results = Iterable[tuple[Any, Any]] | None


class Processor(Protocol[K_contra, V_contra]):
    """What `Stream.process` makes for each task."""

    def process(self, key: K_contra, value: V_contra) -> Results:
        """Take a record, and give what is passed on."""


class Punctuation:
    """A function that is called as time goes on, at the multiples of an interval."""

    def __init__(self, interval_ms: int, action: Callable[[int], Results]) -> None:
        self._interval_ms = interval_ms
        self._action = action
        self._last: int | None = None

    @property
    def due(self) -> int:
        """The time of the next call; -1 when it was not said yet what time it is."""
        return -1 if self._last is None else self._last + self._interval_ms

    def expect_after(self, now_ms: int) -> None:
        """Say what time it is, without a call."""
        self._last = None if now_ms < 0 else now_ms - now_ms % self._interval_ms

    def call(self, now_ms: int) -> Results:
        """Call the function with the latest multiple of the interval, if it has not been."""
        is_first = self._last is None
        before, self._last = self._last, now_ms - now_ms % self._interval_ms
        return None if is_first or before == self._last else self._action(self._last)


class ProcessorContext:
    """What a processor knows of its task."""

    def __init__(
        self,
        task: "Task",
        make: "Callable[[ProcessorContext], Processor[Any, Any]]",
        stores: Mapping[str, Built],
    ) -> None:
        self._task = task
        self._stores = stores
        self._by_records: list[Punctuation | Sweep] = [
            Sweep(built.expiring) for built in stores.values() if built.expiring is not None
        ]
        self._by_clock: list[Punctuation] = []
        self.record: Record | None = None
        self.timestamp = -1
        # When a punctuation is due by the time of records, or earlier.
        self.due = -1
        self._process = make(self).process

    @property
    def partition(self) -> int:
        """The partition number of the task."""
        return self._task.partition

    @property
    def stream_time(self) -> int:
        """The latest time of a record that the task has seen, in milliseconds since 1970."""
        return self._task.time.now

    def has_store(self, name: str) -> bool:
        """Whether `process` was given a store of this name."""
        return name in self._stores

    @overload
    def store(self, store: str) -> Any: ...

    @overload
    def store(self, store: Stored[V, K]) -> KeyValueStore[K, V]: ...

    @overload
    def store(self, store: StoredWindows[V, K]) -> WindowStore[K, V]: ...

    @overload
    def store(self, store: StoredSessions[V, K]) -> SessionStore[K, V]: ...

    def store(self, store: str | AnyStored) -> Any:
        """One of the stores that `process` was given, by its name or, so that its types are known, as it was given."""
        name = store if isinstance(store, str) else store.name
        if name not in self._stores:
            raise TopologyError(f"the processor has no store {name}; it has {', '.join(self._stores) or 'none'}")
        return self._stores[name].store

    def schedule(self, every: Duration, action: Callable[[int], Results], *, by_clock: bool = False) -> None:
        """Have `action(time)` called as time goes on, at the multiples of `every`, and what it gives passed on.

        Time is that of the records, so that a replay calls at the same records; or `by_clock`, that of the clock, which
        also goes on when nothing comes. Calls that were missed are made up for by one.
        """
        interval_ms = milliseconds(every)
        if interval_ms <= 0:
            raise TopologyError(f"cannot schedule something every {every}; expected a duration above 0")
        (self._by_clock if by_clock else self._by_records).append(Punctuation(interval_ms, action))

    def process(self, key: Any, value: Any, record: Record, timestamp: int) -> Iterable[tuple[Any, Any]]:
        """Have a record processed."""
        self.record = record
        self.timestamp = timestamp
        return self._process(key, value) or ()

    def reset(self) -> None:
        """Go back to the time of the task: it was just started, or something was undone."""
        for punctuation in self._by_records:
            punctuation.expect_after(self._task.time.now)
        self._next()

    def call_by_records(self) -> Iterable[tuple[Any, Any]]:
        """Make the calls that are due by the time of records; yield what they give."""
        yield from self._call(self._by_records, self._task.time.now)
        self._next()

    def call_by_clock(self) -> Iterable[tuple[Any, Any]]:
        """Make the calls that are due by the clock; yield what they give."""
        yield from self._call(self._by_clock, self._task.clock_ms)

    def is_due_by_clock(self, now_ms: int) -> bool:
        """Whether the clock makes a call due; from the first question on."""
        for punctuation in self._by_clock:
            if punctuation.due < 0:
                punctuation.expect_after(now_ms)
        return any(punctuation.due <= now_ms for punctuation in self._by_clock)

    def _call(self, punctuations: Iterable[Punctuation | Sweep], now_ms: int) -> Iterable[tuple[Any, Any]]:
        for punctuation in punctuations:
            self.record, self.timestamp = None, now_ms
            yield from punctuation.call(now_ms) or ()

    def _next(self) -> None:
        never = 1 << 62
        self.due = min((punctuation.due for punctuation in self._by_records), default=never)
