"""Much state survives `kill -9`: what is read again is what was not on disk yet, not all of it."""

import pytest

from tailrace.client import Topic, ensure_topics, producer, read_to_end
from tailrace.registry.serde import NumberSerde
from tests.soak import SOAK
from tests.tailrace.streams.chaos.instances import Instances
from tests.tailrace.streams.chaos.system import make_broker, wait_for_records

KEYS = 2_000_000 if SOAK else 40_000
AGAIN = KEYS // 20
PARTITIONS = 2


@pytest.mark.timeout(0 if SOAK else 300)
@pytest.mark.parametrize("engine_name", ["embedded", pytest.param("apache", marks=pytest.mark.kafka)])
def test_state_survives_a_kill_without_being_restored_as_a_whole(engine_name, memory, tmp_path):
    with make_broker(engine_name, memory / f"big-{engine_name}") as broker:
        address = broker.bootstrap_servers
        ensure_topics(address, [Topic(topic, PARTITIONS) for topic in ("counts-lines", "counts-counts")])
        with Instances(address, "counts", tmp_path) as instances:
            instances.start("1")
            send(address, range(KEYS))
            wait_for_counts(address, instances, KEYS)
            # These are under way when it is killed, some of them committed and some not.
            send(address, range(AGAIN))
            wait_for_counts(address, instances, KEYS + AGAIN // 2)
            instances.kill("1")
            instances.start("1")
            wait_for_counts(address, instances, KEYS + AGAIN)
            after_kill = instances.restored("1")
            instances.kill("1")
            instances.lose_disk("1")
            instances.start("1")
            while (after_loss := instances.restored("1") - after_kill) == 0:
                instances.check()
        found = {record.key(): record.value() for record in read_to_end(address, ["counts-counts"], 120)}
    count = NumberSerde("q")
    assert found == {b"%d" % key: count.encode(2 if key < AGAIN else 1) for key in range(KEYS)}
    print(f"{KEYS:,} keys: {after_kill:,} records restored after a kill, {after_loss:,} without the disk")  # noqa: T201
    assert after_kill <= AGAIN
    assert after_loss >= KEYS


def send(address, keys):
    sender = producer(address, queue_buffering_max_messages=10_000_000)
    for key in keys:
        sender.produce("counts-lines", b"line", key=b"%d" % key)
    assert sender.flush(600) == 0


def wait_for_counts(address, instances, count):
    wait_for_records(address, {"counts-counts": PARTITIONS}, count, instances.check, timeout_s=600)
