"""What changes while people look: how far the view is, the latest quotes, and who waits for what.

Belongs to the event loop's thread, except `is_watched`. Whoever waits looks at the view again when woken; nothing is
queued here, so a slow reader costs no memory.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from agio.contracts.events import ExchangeRate
from agio.valuation import Quotes

# More changes than this at once are not told one by one.
CHANGES_MAX = 1000


class Position(NamedTuple):
    """Where a record stands."""

    topic: str
    partition: int
    offset: int


@dataclass(slots=True)
class Difference:
    """What is new about an account: the ids of transactions, its wallet, the account itself."""

    transactions: set[str] = field(default_factory=set)
    wallet: bool = False
    account: bool = False

    def add(self, other: "Difference") -> None:
        """Take over another difference."""
        self.transactions |= other.transactions
        self.wallet |= other.wallet
        self.account |= other.account


@dataclass(slots=True)
class Changes:
    """What one batch of records changed; `offsets`: the next to read, by (topic, partition)."""

    offsets: dict[tuple[str, int], int] = field(default_factory=dict)
    accounts: dict[str, Difference] = field(default_factory=lambda: defaultdict(Difference))
    quotes: list[ExchangeRate] = field(default_factory=list)


class Watch:
    """What changed for one onlooker since it took notice last; `changed` is set with each change."""

    def __init__(self, *, rates: bool) -> None:
        self.changed = asyncio.Event()
        self.follows_rates = rates
        self.difference = Difference()
        self.pairs: set[str] = set()

    @property
    def overflown(self) -> bool:
        """Whether there are too many changes to tell; the onlooker had better begin again."""
        return len(self.difference.transactions) > CHANGES_MAX


class Live:
    """The meeting point of the view's writer and those who wait."""

    def __init__(self) -> None:
        self.quotes = Quotes()
        self.closing = False
        self._offsets: dict[tuple[str, int], int] = {}
        self._waiting: list[tuple[Position, asyncio.Future[None]]] = []
        self._watches: dict[str | None, set[Watch]] = {}

    def is_watched(self, account_id: str) -> bool:
        """Tell, in any thread, whether somebody watches an account."""
        return account_id in self._watches

    @property
    def onlookers(self) -> int:
        """How many watches there are."""
        return sum(map(len, self._watches.values()))

    def apply(self, changes: Changes) -> None:
        """Take over what the view has just taken in, and wake whom it concerns."""
        self._offsets.update(changes.offsets)
        self._waiting = [waiting for waiting in self._waiting if not self._settle(*waiting)]
        for account_id, difference in changes.accounts.items():
            for watch in self._watches.get(account_id, ()):
                watch.difference.add(difference)
                watch.changed.set()
        if pairs := {f"{quote.base}-{quote.quote}" for quote in changes.quotes if self.quotes.update(quote)}:
            for watches in self._watches.values():
                for watch in watches:
                    if watch.follows_rates:
                        if not watch.pairs:  # otherwise it knows already that it has to look
                            watch.changed.set()
                        watch.pairs |= pairs

    async def reached(self, position: Position, timeout_s: float) -> bool:
        """Wait until the view contains a record; False when it did not in time."""
        settled = asyncio.get_running_loop().create_future()
        if self._settle(position, settled):
            return True
        self._waiting.append((position, settled))
        try:
            await asyncio.wait_for(settled, timeout_s)
        except TimeoutError:
            return False
        return not self.closing

    @contextmanager
    def watch(self, account_id: str | None, *, rates: bool = False) -> Iterator[Watch]:
        """Be told of changes of an account, and of quotes; look at the view after this has begun."""
        watch = Watch(rates=rates)
        self._watches.setdefault(account_id, set()).add(watch)
        try:
            yield watch
        finally:
            watches = self._watches[account_id]
            watches.discard(watch)
            if not watches:
                del self._watches[account_id]

    def close(self) -> None:
        """Wake everybody for the last time; `closing` is true from now on."""
        self.closing = True
        for _, settled in self._waiting:
            if not settled.done():
                settled.set_result(None)
        for watches in self._watches.values():
            for watch in watches:
                watch.changed.set()

    def _settle(self, position: Position, waiting: asyncio.Future[None]) -> bool:
        if waiting.done():
            return True
        if self._offsets.get((position.topic, position.partition), 0) <= position.offset:
            return False
        waiting.set_result(None)
        return True
