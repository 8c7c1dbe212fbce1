"""The stores that a processor of one's own has, as `Stream.process` is told of them."""

import re
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, Generic

from tailrace.registry.serde import Serde
from tailrace.streams.errors import TopologyError
from tailrace.streams.state.kept import KeptByKey, KeptBySession, KeptByWindow
from tailrace.streams.state.key_value import KeyValueStoreBuilder
from tailrace.streams.state.session_store import SessionStoreBuilder
from tailrace.streams.state.store_builder import StoreBuilder
from tailrace.streams.state.time_to_live import TimedStoreBuilder
from tailrace.streams.state.window_store import WindowStoreBuilder
from tailrace.streams.types import Typed
from tailrace.streams.windows import Duration, milliseconds

# Keys are text unless told otherwise. Python has defaults of type variables from 3.13 on, type checkers already do.
if TYPE_CHECKING:
    from typing_extensions import TypeVar

    K = TypeVar("K", default=str)
    V = TypeVar("V")
else:
    from typing import TypeVar

    K = TypeVar("K")
    V = TypeVar("V")

# Gives the serde for a type of a topic's keys or values; see Topology.serde.
SerdeOf = Callable[[Any, str, str], Serde[Any]]

NAME = re.compile(r"[a-zA-Z0-9._-]+")


@dataclass(frozen=True)
class Stored(Generic[V, K]):
    """A store of values by key. `changelog`: whether it can be rebuilt, and survives its disk.

    `ttl`: how long a value is there that is not put again, by the time of records; for ever unless given.
    """

    name: str
    value: Typed[V]
    key: Typed[K] = str  # type: ignore[assignment]
    changelog: bool = True
    ttl: Duration | None = None

    def __post_init__(self) -> None:
        _check(self)
        if self.ttl is not None:
            _lasting(self, "ttl", self.ttl)

    def builder(self, serde_of: SerdeOf) -> StoreBuilder:
        """What makes it in each task."""
        value = serde_of(self.value, self.name, "value")
        kept = KeptByKey(self.name, serde_of(self.key, self.name, "key"))
        if self.ttl is None:
            return KeyValueStoreBuilder(kept, value, self.changelog)
        return TimedStoreBuilder(kept, value, self.changelog, milliseconds(self.ttl))


@dataclass(frozen=True)
class StoredWindows(Generic[V, K]):
    """A store of values by key and window of this size, until the window's start is `retention` ago.

    `changelog`: see Stored.
    """

    name: str
    value: Typed[V]
    key: Typed[K] = str  # type: ignore[assignment]
    _: KW_ONLY
    size: Duration
    retention: Duration
    changelog: bool = True

    def __post_init__(self) -> None:
        _check(self)
        size_ms, retention_ms = _lasting(self, "size", self.size), _lasting(self, "retention", self.retention)
        if retention_ms < size_ms:
            raise TopologyError(
                f"{self.name}: windows of {self.size} are not kept for {self.retention}; expected a retention of at "
                "least their size"
            )

    def builder(self, serde_of: SerdeOf) -> StoreBuilder:
        """What makes it in each task."""
        value = serde_of(self.value, self.name, "value")
        kept = KeptByWindow(self.name, serde_of(self.key, self.name, "key"), milliseconds(self.size))
        return WindowStoreBuilder(kept, value, self.changelog, milliseconds(self.retention))


@dataclass(frozen=True)
class StoredSessions(Generic[V, K]):
    """A store of values by key and session, until the session's end is `retention` ago. `changelog`: see Stored."""

    name: str
    value: Typed[V]
    key: Typed[K] = str  # type: ignore[assignment]
    _: KW_ONLY
    retention: Duration
    changelog: bool = True

    def __post_init__(self) -> None:
        _check(self)
        _lasting(self, "retention", self.retention)

    def builder(self, serde_of: SerdeOf) -> StoreBuilder:
        """What makes it in each task."""
        value = serde_of(self.value, self.name, "value")
        kept = KeptBySession(self.name, serde_of(self.key, self.name, "key"))
        return SessionStoreBuilder(kept, value, self.changelog, milliseconds(self.retention))


AnyStored = Stored[Any, Any] | StoredWindows[Any, Any] | StoredSessions[Any, Any]


def check_stored(stored: object) -> None:
    """Raise TopologyError for what is no store of a processor."""
    if not isinstance(stored, Stored | StoredWindows | StoredSessions):
        raise TopologyError(f"{stored!r} is no store; expected Stored, StoredWindows or StoredSessions")


def _check(stored: AnyStored) -> None:
    if not isinstance(stored.name, str) or not NAME.fullmatch(stored.name):
        raise TopologyError(
            f"a store cannot be called {stored.name!r}; expected letters, digits, '.', '_' and '-', since it is part "
            "of its changelog's name"
        )
    for part, typed in (("value", stored.value), ("key", stored.key)):
        if not isinstance(typed, type) and not (hasattr(typed, "encode") and hasattr(typed, "decode")):
            raise TopologyError(f"{stored.name}: {typed!r} is no type of a {part}; expected a type or a serde")
    if not isinstance(stored.changelog, bool):
        raise TopologyError(f"{stored.name}: changelog is {stored.changelog!r}; expected True or False")


def _lasting(stored: AnyStored, what: str, duration: Duration) -> int:
    """How long something takes."""
    lasting_ms = milliseconds(duration)
    if lasting_ms <= 0:
        raise TopologyError(f"{stored.name}: {what} is {duration!r}; expected a duration above 0")
    return lasting_ms
