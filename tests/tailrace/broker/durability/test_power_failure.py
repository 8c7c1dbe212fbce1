"""The power fails before any change of the disk; whatever the disk kept, the broker comes back with all it promised.

Clients work once. Before each change of the disk, the disk is taken as a power failure at that moment may leave it, a
broker recovers from it, and what it has is compared with what its clients know. Some of these brokers go on working,
and the power fails again, also while they recover.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from copy import deepcopy
from random import Random

from tailrace.broker.broker import Broker, State
from tailrace.broker.recovery import recover
from tests.soak import SEED, SOAK
from tests.tailrace.broker.durability.client import Client
from tests.tailrace.broker.durability.interleaving import InterleavingLoop, run_broker
from tests.tailrace.broker.durability.ledger import Ending, Ledger
from tests.tailrace.broker.durability.simulated_disk import SimulatedDisk
from tests.tailrace.broker.durability.verification import (
    by_value,
    records_committed_by_markers,
    verify,
)
from tests.tailrace.broker.durability.workload import PRODUCERS, TOPICS, create_topics, initialize, work
from tests.tailrace.broker.reading import batches_of

TRANSACTIONS = 1000 if SOAK else 60


class PowerFailure(BaseException):
    """Nothing happens on this disk any more."""


def crash(disk: SimulatedDisk, random: Random) -> SimulatedDisk:
    """The disk after a power failure, or after the process was killed."""
    return disk.after_kill() if random.random() < 0.2 else disk.after_power_failure(random)


def recover_after_failures(disk: SimulatedDisk, random: Random) -> tuple[SimulatedDisk, State]:
    """What comes back after a crash, and after more of them during the recovery."""
    disk = crash(disk, random)
    while random.random() < 0.3:
        calls_left = random.randrange(12)

        def count_down(kind: str, name: str) -> None:
            nonlocal calls_left
            if calls_left == 0:
                raise PowerFailure
            calls_left -= 1

        disk.before_call = count_down
        try:
            return disk, recover(disk)
        except PowerFailure:
            disk = crash(disk, random)
        finally:
            disk.before_call = lambda kind, name: None
    return disk, recover(disk)


def settle(state: State, ledger: Ledger) -> None:
    """Decide what nobody knew: a commit that was not answered is done when its records or its offset are there."""
    visible: dict[bytes, object] = {}
    for topic in state.topics:
        for log in topic.partitions:
            visible |= by_value(records_committed_by_markers(batches_of(log, log.high_watermark)))
    for transaction in ledger.transactions:
        if transaction.ending is Ending.COMMITTING:
            values = [value for batch in ledger.batches if batch.transaction is transaction for value in batch.values]
            row = state.offsets.committed.get(transaction.transactional_id, {}).get(("plain", 0))
            has_offset = transaction.with_offset and row is not None and row[2] == transaction.number
            is_committed = has_offset or any(value in visible for value in values)
            transaction.ending = Ending.COMMITTED if is_committed else Ending.ABORTED
        elif transaction.ending in (Ending.OPEN, Ending.ABORTING):
            transaction.ending = Ending.ABORTED


async def begin_anew(broker: Broker, ledger: Ledger) -> None:
    """Every producer comes back, which ends what it had left open."""
    for transactional_id in PRODUCERS:
        await initialize(Client(broker), transactional_id)
    for topic in broker.state.topics:
        for log in topic.partitions:
            assert log.last_stable_offset == log.high_watermark, "nothing is open any more"
    settle(broker.state, ledger)


class Simulation:
    """A run of clients, with power failures on the side."""

    def __init__(self, seed: int, go_on_chance: float) -> None:
        self.errors: list[AssertionError] = []  # compaction would live on with one
        self.crashes = 0
        self.continued = 0
        self._seed = seed
        self._go_on_chance = go_on_chance

    def run(self, transactions: int, every: Callable[[int], bool]) -> None:
        """Let the power fail before those changes of the disk that `every` names."""
        disk, ledger = SimulatedDisk(), Ledger()
        random = Random(self._seed)

        async def use(broker: Broker) -> None:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, InterleavingLoop)

            def before_call(kind: str, name: str) -> None:
                loop.let_others_run()
                if every(disk.calls):
                    self.fail_at(disk, ledger, f"{kind} {name}", depth=0)

            disk.before_call = before_call
            await create_topics(broker, ledger)
            await work(broker, ledger, random, transactions)

        run_broker(disk, recover(disk), random, use)
        disk.before_call = lambda kind, name: None
        verify(recover(disk), ledger)
        if self.errors:
            raise self.errors[0]

    def fail_at(self, disk: SimulatedDisk, ledger: Ledger, call: str, depth: int) -> None:
        """See what is left when the power fails now, and sometimes go on with that."""
        random = Random(f"{self._seed} {disk.calls} {depth}")
        try:
            crashed, state = recover_after_failures(disk, random)
            verify(state, ledger)
            self.crashes += 1
            if ledger.topics and random.random() < self._go_on_chance:
                self.continued += 1
                self.go_on(crashed, state, deepcopy(ledger), random, depth)
        except Exception as error:
            place = f"seed {self._seed}, before change {disk.calls:,} of the disk ({call}), depth {depth}"
            self.errors.append(AssertionError(f"{place}: {error}"))
            raise self.errors[0] from error

    def go_on(self, disk: SimulatedDisk, state: State, ledger: Ledger, random: Random, depth: int) -> None:
        """Work on with what a power failure has left, and let it fail again."""
        failing_call = disk.calls + random.randrange(1, 60)

        async def use(broker: Broker) -> None:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, InterleavingLoop)

            def before_call(kind: str, name: str) -> None:
                loop.let_others_run()
                if disk.calls == failing_call and depth < 2:
                    self.fail_at(disk, ledger, f"{kind} {name}", depth + 1)

            disk.before_call = before_call
            for topic, partitions in ledger.topics.items():
                found = broker.state.topics.by_name(topic)
                assert found is not None
                assert len(found.partitions) == partitions
            await begin_anew(broker, ledger)
            verify(broker.state, ledger)
            if len(ledger.topics) == len(TOPICS):
                await work(broker, ledger, random, 6)

        run_broker(disk, state, random, use)
        disk.before_call = lambda kind, name: None
        verify(recover(disk), ledger)


def test_nothing_acknowledged_is_lost_at_any_change_of_the_disk() -> None:
    simulation = Simulation(SEED, go_on_chance=0.03)
    simulation.run(TRANSACTIONS, every=lambda call: True)
    print(f"seed {SEED}: {simulation.crashes:,} crashes, {simulation.continued:,} brokers went on")  # noqa: T201
    assert simulation.crashes > 5 * TRANSACTIONS
