"""An instance dies at each step of a commit, and those that follow it give what an undisturbed run gives."""

import signal
import time
from random import Random

import pytest

from tests.soak import SEED, SOAK
from tests.tailrace.streams.chaos.dying import MOMENTS, STEPS
from tests.tailrace.streams.chaos.system import Input, System, check, make_broker, undisturbed

BATCH = 10


@pytest.mark.timeout(300)
@pytest.mark.parametrize("engine_name", ["embedded", pytest.param("apache", marks=pytest.mark.kafka)])
def test_a_death_at_any_step_of_a_commit_is_not_seen_in_the_output(engine_name, memory, tmp_path):
    random = Random(f"{SEED} {engine_name}")
    with make_broker(engine_name, memory / f"commit-{engine_name}") as broker:
        system, records = System(broker, tmp_path), Input(random)
        with system.instances as instances:
            for step in STEPS:
                for moment in MOMENTS if SOAK else [random.choice(MOMENTS)]:
                    call, delay_ms = random.randint(2, 12), random.uniform(0, 3)
                    instances.start("1", step, moment, str(call), str(delay_ms))
                    wait_for_death(system, records, f"{moment} {step}")
            instances.start("1")
            system.send(records.last())
            expected = undisturbed(records.sent)
            system.wait_for_outputs(expected)
            instances.check()
            found = system.outputs()
    assert len(expected) > 50
    check(found, expected)


def wait_for_death(system, records, where):
    """Send records until the instance is dead."""
    deadline = time.monotonic() + 60
    while not system.instances.has_died("1"):
        assert time.monotonic() < deadline, f"it lives on {where}: {system.instances.log('1')}"
        system.send(records.next(BATCH))
        time.sleep(0.02)  # so that there are many commits
    assert system.instances.take("1").returncode == -signal.SIGKILL, f"{where}: {system.instances.log('1')}"
