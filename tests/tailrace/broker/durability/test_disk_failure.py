"""A change of the disk fails: the broker tries nothing again, acknowledges nothing more, and loses nothing."""

import asyncio
import errno
import os
from collections import Counter
from random import Random

import pytest

from tailrace.broker.broker import Broker
from tailrace.broker.recovery import recover
from tests.soak import SEED, SOAK
from tests.tailrace.broker.durability.interleaving import InterleavingLoop, run_broker
from tests.tailrace.broker.durability.ledger import Ending, Ledger
from tests.tailrace.broker.durability.simulated_disk import SimulatedDisk
from tests.tailrace.broker.durability.verification import verify
from tests.tailrace.broker.durability.workload import create_topics, work

RUNS = 500 if SOAK else 15
TRANSACTIONS = 24


def acknowledged(ledger: Ledger) -> Counter[str]:
    """How many of what clients did was answered."""
    ended = [each for each in ledger.transactions if each.ending in (Ending.COMMITTED, Ending.ABORTED)]
    batches = [each for each in ledger.batches if each.base_offset is not None]
    return Counter(ended=len(ended), batches=len(batches))


def run_until_failure(disk: SimulatedDisk, ledger: Ledger, random: Random, failing_call: int, error: int) -> bool:
    """Clients at work until a change of the disk fails; whether that ended the broker."""
    before_failure: Counter[str] | None = None

    async def use(broker: Broker) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, InterleavingLoop)

        def before_call(kind: str, name: str) -> None:
            nonlocal before_failure
            is_journal = name.isdigit()
            assert before_failure is None or not is_journal, f"{kind} of the journal after it failed"
            if disk.calls == failing_call:
                before_failure = acknowledged(ledger) if is_journal else None
                raise OSError(error, os.strerror(error))
            loop.let_others_run()

        disk.before_call = before_call
        await create_topics(broker, ledger)
        await work(broker, ledger, random, TRANSACTIONS)

    try:
        run_broker(disk, recover(disk), random, use)
    except OSError:
        assert before_failure in (None, acknowledged(ledger)), "something was acknowledged after the failure"
        return True
    finally:
        disk.before_call = lambda kind, name: None
    assert before_failure is None, "the journal failed and the broker goes on"
    return False


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC], ids=errno.errorcode.get)
def test_after_a_failure_nothing_is_acknowledged_and_nothing_is_lost(error: int) -> None:
    ended = 0
    for run in range(RUNS):
        random = Random(f"{SEED} {run}")
        disk, ledger = SimulatedDisk(), Ledger()
        failing_call = random.randrange(8, 300)
        try:
            ended += run_until_failure(disk, ledger, random, failing_call, error)
            for left in (disk.after_kill(), disk.after_power_failure(random)):
                verify(recover(left), ledger)
        except Exception as wrong:
            raise AssertionError(f"seed {SEED}, run {run}, change {failing_call} of the disk fails") from wrong
    assert ended, "a failure of the journal ends the broker; one in compaction, about a third of them, does not"
