"""What the tests of this folder share: what is sent, the broker and the instances, and what should come of it."""

import subprocess
import sys
import time
from collections import defaultdict
from itertools import groupby, product, takewhile
from operator import itemgetter

from confluent_kafka import TopicPartition

from tailrace.client import Topic, consume, consumer, ensure_topics, producer, read_to_end, watermarks
from tailrace.testing.broker import BrokerProcess
from tailrace.testing.topology_driver import TopologyDriver
from tests.soak import SEED
from tests.tailrace.streams.chaos.instances import Instances
from tests.tailrace.streams.chaos.topology import INPUTS, OUTPUTS, build

PARTITIONS = 4
START_MS = 1_700_000_000_000
KEYS = [f"k{number}" for number in range(10)]
# What Apache Kafka says when it cannot reload a coordinator that it began to use before it was loaded, which
# happens when it is restarted on a busy machine. See docs/reliability.md.
COORDINATOR_FAILED = b"No in-memory snapshot for epoch"
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

    def __init__(self, broker, folder, **settings):
        self.broker, self.name = broker, "chaos"
        # Their times are long ago: the broker's retention would delete them within minutes.
        config = {"retention.ms": "-1"}
        topics = [Topic(f"{self.name}-{topic}", PARTITIONS, config) for topic in [*INPUTS, *OUTPUTS]]
        ensure_topics(broker.bootstrap_servers, topics)
        self.producer = producer(broker.bootstrap_servers)
        self.instances = Instances(broker.bootstrap_servers, self.name, folder, **settings)
        self._log_seen = 0

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

    def wait_for_outputs(self, expected):
        """Wait until there are as many records as expected, and a little longer for what should not come."""
        topics = {f"{self.name}-{topic}": PARTITIONS for topic in OUTPUTS}
        wanted = sum(map(len, expected.values()))
        seen = wait_for_records(self.broker.bootstrap_servers, topics, wanted, self._check, linger_s=1)
        if seen < wanted:
            said = self.broker.log_file.read_text(errors="replace")[-20_000:]
            report = [
                f"{seen} of {wanted} outputs came",
                *self.standing(),
                self.instances.stacks(),
                "the broker:",
                said,
            ]
            sys.stderr.write("\n".join(report))

    def _check(self):
        """No instance has ended, and the broker goes on: one that cannot is restarted, as somebody would."""
        self.instances.check()
        with self.broker.log_file.open("rb") as log:
            log.seek(self._log_seen)
            said = log.read()
        self._log_seen += len(said)
        if COORDINATOR_FAILED in said:
            sys.stderr.write("Apache Kafka's group coordinator has come to a stop, which only a restart ends\n")
            self.broker.kill()
            self.broker.start()

    def standing(self):
        """Say of each partition where it ends, for readers of committed records and for others, and what the group has
        committed."""
        servers = self.broker.bootstrap_servers
        committed = consumer(servers, self.name)
        all_there_is = consumer(servers, "none", isolation_level="read_uncommitted")
        topics = [topic for topic in committed.list_topics(timeout=60).topics if topic.startswith(self.name)]
        yield self._kafka_says("TransactionsCommand", "list")
        for what in ("--state", "--members"):
            group = ["--describe", "--group", self.name, "--verbose", what]
            yield self._kafka_says("consumer.group.ConsumerGroupCommand", *group)
        for topic, partition in product(topics, range(PARTITIONS)):
            (own,) = committed.committed([TopicPartition(topic, partition)], timeout=60)
            ends = [watermarks(reader, topic, partition)[1] for reader in (committed, all_there_is)]
            yield f"{topic}-{partition}: stable to {ends[0]}, of {ends[1]}; committed {own.offset}"
            if ends[0] < ends[1]:
                of_partition = ["--topic", topic, "--partition", str(partition)]
                yield self._kafka_says("TransactionsCommand", "describe-producers", *of_partition)
        committed.close()
        all_there_is.close()

    def _kafka_says(self, tool, *what):
        """What a tool of Apache Kafka says."""
        from tailrace.testing.kafka import kafka_home

        java = ["java", "-cp", f"{kafka_home()}/libs/*", f"org.apache.kafka.tools.{tool}"]
        argv = [*java, "--bootstrap-server", self.broker.bootstrap_servers, *what]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False).stdout


def wait_for_records(address, topics, count, check, timeout_s=120, linger_s=0):
    """Wait until topics, given with their numbers of partitions, have so many records, or for as long as is given."""
    reader = consumer(address, "none")
    reader.assign([TopicPartition(topic, p, 0) for topic, partitions in topics.items() for p in range(partitions)])
    deadline, seen = time.monotonic() + timeout_s, 0
    while seen < count and time.monotonic() < deadline:
        check()
        seen += sum(record.error() is None for record in consume(reader, 1000, 0.1))
    consume(reader, 1, linger_s)
    reader.close()
    return seen


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


def check(found, expected):
    """Each key has the records that it should have. What is closed and met by the last records, at the end of time, is
    of no interest."""
    wrong = [
        (topic, key, len(found[topic, key]), len(expected[topic, key]), _alike(found[topic, key], expected[topic, key]))
        for topic, key in sorted({*expected, *found})
        if b"end" not in key and found[topic, key] != expected[topic, key]
    ]
    assert not wrong, ("topic, key, records found, expected, and how many are alike", wrong, SEED)


def _alike(found, expected):
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(found, expected, strict=False)))
