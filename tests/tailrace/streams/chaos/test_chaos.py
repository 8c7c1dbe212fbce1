"""Exactly once, for real: processes are killed, frozen, added and taken away, disks are lost and the broker is killed,
and the output of each key is that of a run that nobody disturbed. The seed is printed; SEED=n repeats the run.
"""

import time
from random import Random

import pytest

from tests.soak import SEED, SOAK
from tests.tailrace.streams.chaos.system import Input, System, check, make_broker, undisturbed

# A thousand in the eight cases together.
ROUNDS = 125 if SOAK else 8
BATCHES_PER_ROUND = 8
BATCH = 10


# Of each step, as it is called, and of a table.
STORES = ["words", "windows", "sessions", "left-join-2-left", "left-join-2-right", "chaos-names"]


def start(system, name, random):
    """Start an instance with some of its state in memory, perhaps other than before, or none, or all."""
    system.instances.start(name, in_memory=random.sample(STORES, random.choice([0, 0, 2, len(STORES)])))


def disturb(system, random):
    """Do one thing to the system; what was taken away comes back, now or later."""
    instances = system.instances
    names = ["1", "2", "3", "4"]
    gone = [name for name in names if name not in instances.running]
    name = random.choice(sorted(instances.running))
    match random.choice(["kill", "kill", "freeze", "add", "stop", "lose disk", "broker"]):
        case "kill":
            instances.kill(name)
            start(system, name, random)
        case "freeze":
            instances.freeze(name, random.choice([0.5, 3.0]))
        case "add" if gone:
            start(system, random.choice(gone), random)
        case "stop" if len(instances.running) > 2:
            instances.stop(name)
        case "lose disk":
            instances.kill(name)
            instances.lose_disk(name)
            start(system, name, random)
        case "broker":
            system.broker.kill()
            system.broker.start()


@pytest.mark.timeout(0 if SOAK else 300)
@pytest.mark.parametrize("standby_replicas", [0, 1])
@pytest.mark.parametrize("group_protocol", ["classic", "consumer"])
@pytest.mark.parametrize("engine_name", ["embedded", pytest.param("apache", marks=pytest.mark.kafka)])
def test_the_output_is_that_of_an_undisturbed_run(engine_name, group_protocol, standby_replicas, memory, tmp_path):
    case = f"{engine_name} {group_protocol} {standby_replicas}"
    random = Random(f"{SEED} {case}")
    settings = {"group_protocol": group_protocol}
    if standby_replicas:
        settings |= {"standby_replicas": standby_replicas, "listen": ":0"}
    with make_broker(engine_name, memory / f"chaos-{case}") as broker:
        system, records = System(broker, tmp_path, **settings), Input(random)
        with system.instances as instances:
            for name in ("1", "2"):
                start(system, name, random)
            for _ in range(ROUNDS):
                for _ in range(BATCHES_PER_ROUND):
                    system.send(records.next(BATCH))
                time.sleep(random.uniform(0, 1.5))  # so that it comes in the middle of anything
                disturb(system, random)
                instances.check()
            system.send(records.last())
            expected = undisturbed(records.sent)
            system.wait_for_outputs(expected)
            instances.check()
            found = system.outputs()
    assert sum(map(len, expected.values())) > ROUNDS * BATCHES_PER_ROUND * BATCH
    check(found, expected)
