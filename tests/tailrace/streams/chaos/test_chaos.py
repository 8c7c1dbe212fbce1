"""Exactly once, for real: processes are killed, frozen, added and taken away, disks are lost and the broker is killed,
and the output of each key is that of a run that nobody disturbed. The seed is printed; SEED=n repeats the run.
"""

import time
from collections import defaultdict
from itertools import groupby
from operator import itemgetter
from random import Random

import pytest
from confluent_kafka import TopicPartition

from tailrace.client import Topic, consume, consumer, ensure_topics, producer, read_to_end
from tailrace.testing.broker import BrokerProcess
from tailrace.testing.topology_driver import TopologyDriver
from tests.soak import SEED, SOAK
from tests.tailrace.streams.chaos.instances import Instances
from tests.tailrace.streams.chaos.topology import INPUTS, OUTPUTS, build

PARTITIONS = 4
ROUNDS = 1_000 if SOAK else 12
BATCHES_PER_ROUND = 8
BATCH = 10
START_MS = 1_700_000_000_000
KEYS = [f"k{number}" for number in range(10)]
WORDS = "alpha beta gamma delta epsilon".split()


class Input:
    """What is sent, in order of time. No topic knows how far another one will still be written, so a record is sent
    after those of other topics that are earlier."""

    def __init__(self, random):
        self._random = random
        self._time = START_MS
        self.sent = []

    def next(self, count):
        """Give some records of each topic, one topic after the other."""
        topics = sorted(self._random.choices(INPUTS, k=count), key=INPUTS.index)
        return self._note([(topic, self._random.choice(KEYS), self._value(topic)) for topic in topics])

    def last(self):
        """Give a record of each key in each topic, so of each partition, much later, so that all windows close."""
        self._time += 10 * 3_600_000
        return self._note([(topic, f"end-{number}", "end") for topic in INPUTS for number in range(PARTITIONS * 8)])

    def _value(self, topic):
        if topic == "lines":
            return " ".join(self._random.choices(WORDS, k=self._random.randint(1, 3)))
        return f"{topic[0]}{self._random.randrange(1 << 32)}"

    def _note(self, records):
        timed = []
        for topic, key, value in records:
            self._time += self._random.randint(1, 12)
            timed.append((topic, key, value, self._time))
        self.sent += timed
        return timed


class System:
    """A broker of its own, the topics, and the instances."""

    def __init__(self, broker, folder):
        self.broker, self.name = broker, "chaos"
        # Their times are long ago: the broker's retention would delete them within minutes.
        config = {"retention.ms": "-1"}
        topics = [Topic(f"{self.name}-{topic}", PARTITIONS, config) for topic in [*INPUTS, *OUTPUTS]]
        ensure_topics(broker.bootstrap_servers, topics)
        self.producer = producer(broker.bootstrap_servers)
        self.instances = Instances(broker.bootstrap_servers, self.name, folder)

    def send(self, records):
        for topic, of_topic in groupby(records, key=itemgetter(0)):
            for _, key, value, time_ms in of_topic:
                self.producer.produce(f"{self.name}-{topic}", value.encode(), key=key, timestamp=time_ms)
            assert self.producer.flush(120) == 0

    def outputs(self):
        """Keys and values as bytes, by topic and key, in order."""
        outputs = defaultdict(list)
        for topic in OUTPUTS:
            for record in read_to_end(self.broker.bootstrap_servers, [f"{self.name}-{topic}"], 120):
                outputs[topic, record.key()].append(record.value())
        return outputs

    def wait_for_outputs(self, expected, timeout_s=120):
        """Wait until there are as many records as expected, and a little longer for what should not come."""
        wanted = sum(map(len, expected.values()))
        reader = consumer(self.broker.bootstrap_servers, "none")
        reader.assign([TopicPartition(f"{self.name}-{t}", p, 0) for t in OUTPUTS for p in range(PARTITIONS)])
        deadline, seen = time.monotonic() + timeout_s, 0
        while seen < wanted and time.monotonic() < deadline:
            self.instances.check()
            seen += sum(record.error() is None for record in consume(reader, 1000, 0.1))
        seen += sum(record.error() is None for record in consume(reader, 1000, 1))
        reader.close()


def disturb(system, random):
    """Do one thing to the system; what was taken away comes back, now or later."""
    instances = system.instances
    names = ["1", "2", "3", "4"]
    gone = [name for name in names if name not in instances.running]
    name = random.choice(sorted(instances.running))
    match random.choice(["kill", "kill", "freeze", "add", "stop", "lose disk", "broker"]):
        case "kill":
            instances.kill(name)
            instances.start(name)
        case "freeze":
            instances.freeze(name, random.choice([0.5, 3.0]))
        case "add" if gone:
            instances.start(random.choice(gone))
        case "stop" if len(instances.running) > 2:
            instances.stop(name)
        case "lose disk":
            instances.kill(name)
            instances.lose_disk(name)
            instances.start(name)
        case "broker":
            system.broker.kill()
            system.broker.start()


def undisturbed(records):
    """The outputs of the same topology in one task, with nothing happening to it."""
    driver = TopologyDriver(build("chaos"))
    for topic, key, value, time_ms in records:
        driver.pipe(f"chaos-{topic}", key, value, timestamp=time_ms)
    outputs = defaultdict(list)
    for topic in OUTPUTS:
        for record in driver.log.get(f"chaos-{topic}", []):
            outputs[topic, record.key()].append(record.value())
    return outputs


def make_broker(engine_name, folder):
    if engine_name == "embedded":
        return BrokerProcess(folder / "broker")
    from tailrace.testing.kafka import KafkaProcess

    return KafkaProcess(folder / "kafka")


@pytest.mark.timeout(0 if SOAK else 300)
@pytest.mark.parametrize("engine_name", ["embedded", pytest.param("apache", marks=pytest.mark.kafka)])
def test_the_output_is_that_of_an_undisturbed_run(engine_name, memory, tmp_path):
    random = Random(f"{SEED} {engine_name}")
    with make_broker(engine_name, memory / f"chaos-{engine_name}") as broker:
        system, records = System(broker, tmp_path), Input(random)
        with system.instances as instances:
            for name in ("1", "2"):
                instances.start(name)
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
    # What is closed and met by the last records, at the end of time, is of no interest.
    for topic, key in sorted({*expected, *found}):
        if b"end" not in key:
            assert found[topic, key] == expected[topic, key], (topic, key, SEED)
