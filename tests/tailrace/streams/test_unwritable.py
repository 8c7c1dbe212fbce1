"""Outputs that a cluster does not take: who is to blame is found out, and nothing loops, is lost or comes twice."""

import itertools
import random
import threading
import time
from collections import Counter

import pytest
from confluent_kafka.admin import AclBinding, AclOperation, AclPermissionType, ResourcePatternType, ResourceType

from tailrace.client import Topic, admin, ensure_topics, producer, read_to_end
from tailrace.registry.serde import NumberSerde
from tailrace.streams import (
    Emit,
    Metrics,
    OnError,
    ProcessingFailed,
    StreamsConfig,
    Topology,
    Tumbling,
    run,
)
from tailrace.testing.broker import BrokerProcess
from tailrace.testing.kafka import KafkaProcess

SMALL = {"max.message.bytes": "1000"}
TOO_LARGE = 5000
# Its records are of 1970.
OLD = b"old"
DEAD_LETTERS = "unwritable-letters"


def noise(size, seed=0):
    """What does not become smaller when it is compressed."""
    return random.Random(seed).randbytes(size)


class Counting:
    """Counts the records of each key, and writes records and counts to topics: `in`, `out` and `counts`."""

    def __init__(self, bootstrap_servers, name, folder, *, partitions=1, out=None, write=None, **handling):
        self.bootstrap_servers, self.name, self.folder = bootstrap_servers, name, folder
        self.metrics, self.stop_event, self.failure = Metrics(), threading.Event(), None
        topics = [
            Topic(self.topic("in"), partitions),
            Topic(self.topic("out"), 1, out or {}),
            Topic(self.topic("counts")),
        ]
        ensure_topics(bootstrap_servers, [*topics, Topic(DEAD_LETTERS)])
        self.topology = Topology(name, dead_letters=DEAD_LETTERS, **handling)
        records = self.topology.stream(self.topic("in"), bytes, nullable=True)
        records.group_by_key().count(store="counts").to(self.topic("counts"))
        (write or (lambda stream, topic: stream.to(topic)))(records, self.topic("out"))
        self.producer = producer(bootstrap_servers)

    def topic(self, name):
        return f"{self.name}-{name}"

    def send(self, *values, keys=("a",)):
        for value, key in zip(values, itertools.cycle(keys), strict=False):
            self.producer.produce(self.topic("in"), value, key=key, timestamp=1000 if value == OLD else 0)
        assert self.producer.flush(60) == 0

    def run(self, **config):
        settings = StreamsConfig(self.bootstrap_servers, self.folder, session_timeout_ms=2000, **config)
        run(self.topology, settings, self.stop_event, metrics=self.metrics)

    def __enter__(self):
        def target():
            try:
                self.run()
            except BaseException as failure:
                self.failure = failure

        self.stop_event.clear()
        self.thread = threading.Thread(target=target, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop_event.set()
        self.thread.join(60)
        assert not self.thread.is_alive()
        assert self.failure is None, self.failure

    def wait_for(self, count):
        deadline = time.monotonic() + 60
        while sum(each.committed.records[self.topic("in")] for each in self.metrics.tasks.values()) < count:
            assert self.failure is None, self.failure
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def read(self, name):
        return [record.value() for record in read_to_end(self.bootstrap_servers, [self.topic(name)])]

    def counts(self, key="a"):
        records = read_to_end(self.bootstrap_servers, [self.topic("counts")])
        return [NumberSerde("q").decode(record.value()) for record in records if record.key() == key.encode()]

    def letters(self):
        found = ((dict(r.headers()), r.value()) for r in read_to_end(self.bootstrap_servers, [DEAD_LETTERS]))
        return [(h, value) for h, value in found if h["__connect.errors.connector.name"] == self.name.encode()]


@pytest.fixture
def make(engine, unique, tmp_path):
    def make(**options):
        return Counting(engine.bootstrap_servers, unique("counting"), tmp_path, **options)

    return make


def small(count, start=0):
    return [noise(40, seed) for seed in range(start, start + count)]


def larger_than_the_topic():
    return {"out": SMALL}, noise(TOO_LARGE), "an output of 5001 bytes .*[Mm]essage size too large"


def growing(stream, topic):
    stream.map_values(lambda value: value * 30_000 if value == b"x" * 40 else value, value=bytes).to(topic)


def larger_than_the_client():
    return {"write": growing}, b"x" * 40, "an output of 1200001 bytes .*[Mm]essage size too large"


def a_topic_that_cannot_be():
    def write(stream, topic):
        stream.to(lambda value: "no topic!" if value == b"x" * 40 else topic)

    return {"write": write}, b"x" * 40, "cannot be written to no topic!: .*[Ii]nvalid topic"


CASES = [larger_than_the_topic, larger_than_the_client, a_topic_that_cannot_be]


@pytest.mark.parametrize("case", CASES)
def test_the_application_stops_and_names_the_record(make, case):
    options, wrong, said = case()
    application = make(**options)
    application.send(*small(30), wrong, *small(30, 30))
    with pytest.raises(ProcessingFailed, match=f"record 30 of {application.topic('in')}-0 stops .*{said}"):
        application.run()
    # What was before it may be committed; nothing of it is.
    assert len(application.read("out")) == len(application.counts()) <= 30


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("handled", [OnError.SKIP, OnError.DEAD_LETTER])
def test_only_the_output_is_left_out(make, case, handled):
    options, wrong, _ = case()
    application = make(**options, on_unwritable=handled)
    application.send(*small(30), wrong, *small(30, 30), wrong)
    with application:
        application.wait_for(62)
        application.send(*small(5, 60))
        application.wait_for(67)
    with application:
        application.send(*small(5, 65))
        application.wait_for(72)
    assert application.read("out") == small(70)
    assert application.counts() == list(range(1, 73))
    letters = application.letters()
    assert [value for _, value in letters] == ([wrong, wrong] if handled is OnError.DEAD_LETTER else [])
    assert [headers["__connect.errors.offset"] for headers, _ in letters] in ([], [b"30", b"61"])
    for headers, _ in letters:
        assert headers["__connect.errors.stage"] == b"KAFKA_PRODUCE"
    counted = [each.committed for each in application.metrics.tasks.values()]
    assert sum(c.skipped for c in counted) == (2 if handled is OnError.SKIP else 0)
    assert sum(c.dead_letters for c in counted) == (2 if handled is OnError.DEAD_LETTER else 0)
    assert 1 <= application.metrics.application.aborts == application.metrics.application.rollbacks <= 4


def test_records_that_are_too_large_together_are_written_one_by_one(make):
    application = make(out=SMALL)
    values = [noise(300, seed) for seed in range(100)]
    application.send(*values)
    with application:
        application.wait_for(100)
    assert application.read("out") == values
    assert application.counts() == list(range(1, 101))


def test_a_function_decides_for_each_record(make):
    def handle(record, error):
        return OnError.SKIP if error.size < 6000 else OnError.DEAD_LETTER

    application = make(out=SMALL, on_unwritable=handle)
    application.send(noise(TOO_LARGE), b"fine", noise(7000))
    with application:
        application.wait_for(3)
    assert application.read("out") == [b"fine"]
    assert [value for _, value in application.letters()] == [noise(7000)]


def test_a_dead_letter_that_cannot_be_written_stops_the_application(make, unique):
    application = make(out=SMALL, on_unwritable=OnError.DEAD_LETTER)
    application.topology.handling = type(application.topology.handling)(
        OnError.FAIL, OnError.FAIL, OnError.DEAD_LETTER, application.topic("out")
    )
    application.send(b"fine", noise(TOO_LARGE))
    with pytest.raises(ProcessingFailed, match=f"record 1 of .* cannot be written to {application.topic('out')}"):
        application.run()


def test_an_event_is_never_left_out(engine, unique, tmp_path):
    name = unique("deciding")
    ensure_topics(engine.bootstrap_servers, [Topic(f"{name}-in"), Topic(f"{name}-events", 1, SMALL)])
    topology = Topology(name, on_unwritable=OnError.SKIP)
    topology.stream(f"{name}-in", bytes).decide(
        "latest", lambda key, state, value, record: [value], lambda state, event: event, initial=b""
    ).to(f"{name}-events", bytes)
    writer = producer(engine.bootstrap_servers)
    for value in (b"fine", noise(TOO_LARGE), b"fine"):
        writer.produce(f"{name}-in", value, key="a")
    writer.flush(60)
    said = f"record 1 of {name}-in-0 stops .*an output of 5001 bytes cannot be written to {name}-events"
    with pytest.raises(ProcessingFailed, match=said):
        run(topology, StreamsConfig(engine.bootstrap_servers, tmp_path), threading.Event())


def test_a_change_of_state_is_never_left_out(engine, unique, tmp_path):
    name = unique("collecting")
    ensure_topics(engine.bootstrap_servers, [Topic(f"{name}-in")])
    topology = Topology(name, on_unwritable=OnError.SKIP)
    topology.stream(f"{name}-in", bytes).group_by_key().aggregate(
        b"", lambda total, value: total + value * 300_000, value=bytes, store="all"
    )
    writer = producer(engine.bootstrap_servers)
    for _ in range(5):
        writer.produce(f"{name}-in", b"x", key="a")
    writer.flush(60)
    with pytest.raises(
        ProcessingFailed, match=f"cannot be written to {name}-all-changelog: .*[Mm]essage size too large"
    ):
        run(topology, StreamsConfig(engine.bootstrap_servers, tmp_path, max_batch=1), threading.Event())


def test_what_the_clock_makes_is_left_out_as_well(engine, unique, tmp_path):
    application = Counting(
        engine.bootstrap_servers,
        unique("clocked"),
        tmp_path,
        out=SMALL,
        on_unwritable=OnError.SKIP,
        write=lambda stream, topic: (
            stream.group_by_key()
            .windowed_by(Tumbling("1s", grace="2s", idle="100ms"), emit=Emit.CLOSE)
            .count()
            .to_stream()
            .map(lambda window, count: (window.key, noise(TOO_LARGE)), value=bytes)
            .to(topic)
        ),
    )
    with application:
        application.send(b"1", b"2")
        deadline = time.monotonic() + 60
        while not sum(each.committed.skipped for each in application.metrics.tasks.values()):
            assert application.failure is None, application.failure
            assert time.monotonic() < deadline
            time.sleep(0.01)
        application.send(b"3")
        application.wait_for(3)
    assert application.read("out") == []
    assert application.counts() == [1, 2, 3]


def test_a_chosen_topic_that_is_missing(broker, unique, tmp_path):
    """Apache Kafka makes it, as it is configured by default; see the next test for that."""
    application = Counting(
        broker.bootstrap_servers,
        unique("choosing"),
        tmp_path,
        write=lambda stream, topic: stream.to(lambda value: f"{topic}-missing" if value == b"x" else topic),
    )
    application.send(b"fine", b"x")
    with pytest.raises(
        ProcessingFailed, match=r"record 1 of .* 2 bytes cannot be written to .*-missing: .*[Uu]nknown topic"
    ):
        application.run()


def test_a_chosen_topic_that_the_cluster_makes_is_written_to(kafka, unique, tmp_path):
    application = Counting(
        kafka.bootstrap_servers,
        unique("choosing"),
        tmp_path,
        write=lambda stream, topic: stream.to(lambda value: f"{topic}-{value.decode()}"),
    )
    application.send(b"x", b"y", b"x")
    with application:
        application.wait_for(3)
    assert [application.read(f"out-{value}") for value in "xy"] == [[b"x", b"x"], [b"y"]]


@pytest.mark.parametrize(
    ("out", "said"),
    [({"cleanup.policy": "compact"}, "validate record"), ({"message.timestamp.before.max.ms": "3600000"}, "timestamp")],
)
def test_what_is_asked_of_each_record(kafka, unique, tmp_path, out, said):
    """The embedded broker does not look into batches that are compressed."""
    application = Counting(
        kafka.bootstrap_servers,
        unique("asking"),
        tmp_path,
        out=out,
        write=lambda stream, topic: stream.map(
            lambda key, value: (None if value == OLD else key, value), value=bytes
        ).to(topic),
        on_unwritable=OnError.DEAD_LETTER,
    )
    application.send(b"y", OLD, b"z")
    with application:
        application.wait_for(3)
    assert application.read("out") == [b"y", b"z"]
    ((headers, value),) = application.letters()
    assert value == OLD
    assert said in headers["__connect.errors.exception.message"].decode()


@pytest.fixture(params=["embedded", pytest.param("apache", marks=pytest.mark.kafka)])
def guarded(request):
    """An engine that asks who may do what."""
    if request.param == "embedded":
        process = BrokerProcess(options=["--override=acls=true", "--override=allow.everyone.if.no.acl.found=true"])
    else:
        process = KafkaProcess(
            properties={
                "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "allow.everyone.if.no.acl.found": "true",
            }
        )
    with process:
        yield process


@pytest.mark.parametrize("allowed", [AclOperation.READ, AclOperation.DELETE])
def test_a_topic_that_one_may_not_write_to(guarded, unique, tmp_path, allowed):
    """Whether one may know of it, which reading implies, or not."""
    application = Counting(guarded.bootstrap_servers, unique("guarded"), tmp_path)
    binding = AclBinding(
        ResourceType.TOPIC,
        application.topic("out"),
        ResourcePatternType.LITERAL,
        "User:ANONYMOUS" if allowed is AclOperation.READ else "User:somebody",
        "*",
        allowed,
        AclPermissionType.ALLOW,
    )
    application.send(b"x", b"y")
    client = admin(guarded.bootstrap_servers)
    (created,) = client.create_acls([binding]).values()
    created.result()
    if allowed is AclOperation.DELETE:
        # The topic is not shown to this client, so it cannot be waited for at the start.
        application.topology = Topology(application.name)
        application.topology.stream(application.topic("in"), bytes).to(lambda value: application.topic("out"))
    said = f"record 0 of .*cannot be written to {application.topic('out')}.*[Tt]opic authorization failed"
    with pytest.raises(ProcessingFailed, match=said):
        application.run()


def test_a_topic_that_is_deleted_while_it_is_written_to(broker, unique, tmp_path):
    application = Counting(broker.bootstrap_servers, unique("deleted"), tmp_path)
    application.send(b"x")
    application.__enter__()
    application.wait_for(1)
    client = admin(broker.bootstrap_servers)
    (deleted,) = client.delete_topics([application.topic("out")]).values()
    deleted.result()
    application.send(b"y")
    application.thread.join(100)
    assert isinstance(application.failure, ProcessingFailed)
    assert f"cannot be written to {application.topic('out')}" in str(application.failure)


def test_records_that_were_read_together_with_one_that_is_refused_are_not_lost(make):
    application = make(partitions=3, write=growing, on_unwritable=OnError.SKIP)
    keys = "abcdef"
    for start in range(0, 90, 30):
        application.send(*[b"x" * 40] * len(keys), *small(30, start), keys=keys)
    with application:
        application.wait_for(3 * (30 + len(keys)))
    assert Counter(application.read("out")) == Counter(small(90))
    assert sum(len(application.counts(key)) for key in keys) == 3 * (30 + len(keys))


def test_each_record_counts_once_whatever_is_refused_around_it(make):
    """Refusals of the client and of the broker come and go over several transactions, partitions and restarts."""
    application = make(partitions=3, out=SMALL, write=growing, on_unwritable=OnError.SKIP)
    chance, sent, keys = random.Random(1), 0, "abcdef"
    expected = Counter()
    for _ in range(2):
        with application:
            for _ in range(4):
                values = [noise(chance.choice([10] * 20 + [TOO_LARGE]), sent + number) for number in range(30)]
                values.insert(chance.randrange(30), b"x" * 40)
                application.send(*values, keys=keys)
                expected.update(value for value in values if len(value) == 10)
                sent += len(values)
            application.wait_for(sent)
    assert Counter(application.read("out")) == expected
    counts = [application.counts(key) for key in keys]
    assert sum(map(len, counts)) == sent
    assert counts == [list(range(1, len(each) + 1)) for each in counts]
