"""Committed offsets that are less than what is known to be committed: asked for again, and then refused."""

import time
from collections import Counter

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from tailrace.client import Topic, consumer, ensure_topics, read_to_end, watermarks
from tailrace.streams import OffsetsLost, Stored, Topology, committed
from tailrace.streams.committed import CommittedOffsets
from tests.tailrace.streams.application import PARTITIONS, Application

NONE = -1001
IN_USE = (KafkaError.NON_EMPTY_GROUP, KafkaError.UNKNOWN_MEMBER_ID)
A, B = ("lines", 0), ("lines", 1)


class Asked:
    """A consumer that gives the prepared answers, one after the other, and then the last one for ever."""

    def __init__(self, *answers):
        self.answers, self.questions = list(answers), 0

    def committed(self, partitions, timeout):
        self.questions += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [TopicPartition(tp.topic, tp.partition, answer[tp.topic, tp.partition]) for tp in partitions]


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(committed, "PATIENCE_S", 0.3)
    monkeypatch.setattr(committed, "PAUSE_S", 0.1)


def confirmed(asked, read=None, begun=(), *, stopped=False):
    offsets = CommittedOffsets("app", asked, None, lambda: stopped)
    told = offsets.confirm(offsets.ask([A, B]), read or {}, begun)
    return {(tp.topic, tp.partition): tp.offset for tp in told}


@pytest.mark.parametrize("early", [{A: NONE, B: NONE}, {A: NONE, B: 3}, {A: 6, B: 3}])
def test_less_than_was_read_here_is_not_believed(early):
    asked = Asked(early, early, {A: 7, B: 3})
    assert confirmed(asked, read={A: 7, B: 0}) == {A: 7, B: 3}
    assert asked.questions == 3


def test_nothing_is_not_believed_where_there_are_changes_of_state():
    asked = Asked({A: NONE, B: NONE}, {A: 0, B: NONE})
    assert confirmed(asked, begun=[[A, B]]) == {A: 0, B: NONE}
    assert asked.questions == 2


@pytest.mark.parametrize(
    ("told", "read", "begun"),
    [
        ({A: 7, B: NONE}, {A: 7, B: 0}, [[A, B]]),  # just what was read
        ({A: 9, B: NONE}, {A: 7}, []),  # others have read on
        ({A: NONE, B: NONE}, {A: 0, B: 0}, []),  # a first start
    ],
)
def test_what_may_be_right_is_believed_at_once(told, read, begun):
    asked = Asked(told)
    assert confirmed(asked, read, begun) == told
    assert asked.questions == 1


def test_who_is_told_to_stop_asks_no_more():
    assert confirmed(Asked({A: NONE, B: NONE}), read={A: 7}, stopped=True) == {A: NONE, B: NONE}


def counting(name, prefix):
    topology = Topology(name)
    topology.stream(f"{prefix}lines", bytes).group_by_key().count(store="lines").to(f"{prefix}counts")
    return topology


class Counting(Application):
    """Counts the records of each key."""

    def __init__(self, engine, unique, folder, make=counting):
        super().__init__(engine.bootstrap_servers, unique("counting"), folder, make)
        self.lines = f"{self.prefix}lines"
        self.admin = AdminClient({"bootstrap.servers": self.bootstrap_servers})

    def count(self, times, in_all, **options):
        """Run with more records of each key, until there are so many outputs in all."""
        for key in range(10):
            for _ in range(times):
                self.producer.produce(self.lines, b"", key=f"k{key}")
        assert self.producer.flush(60) == 0
        with self.start(**options):
            self.wait_for_records(f"{self.prefix}counts", in_all)

    def refusal(self, **options):
        """Run until it ends by itself, and say why."""
        running = self.start(**options)
        running.thread.join(60)
        assert not running.thread.is_alive()
        return running.failure

    def counts(self):
        counts = list(read_to_end(self.bootstrap_servers, [f"{self.prefix}counts"]))
        return Counter(record.key() for record in counts), {record.value() for record in counts}

    def forget(self):
        self._when_empty(lambda: self.admin.delete_consumer_groups([self.name])[self.name].result(60))

    def set_offsets(self, offsets):
        wanted = [TopicPartition(self.lines, partition, offset) for partition, offset in enumerate(offsets)]

        def alter():
            groups = self.admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(self.name, wanted)])
            for tp in groups[self.name].result(60).topic_partitions:
                if tp.error is not None:
                    raise KafkaException(tp.error)

        self._when_empty(alter)

    def _when_empty(self, change):
        """Change the group once its static member is given up."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return change()
            except KafkaException as exception:
                if exception.args[0].code() not in IN_USE or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


@pytest.fixture
def application(engine, unique, tmp_path):
    return Counting(engine, unique, tmp_path)


@pytest.mark.parametrize("has_lost_its_disk", [False, True])
def test_a_group_that_was_forgotten_is_not_begun_anew(application, has_lost_its_disk):
    application.count(3, in_all=30)
    application.forget()
    folder = "another" if has_lost_its_disk else None
    refusal = application.refusal(folder=folder)
    assert isinstance(refusal, OffsetsLost)
    assert f"the group {application.name} had committed offset" in str(refusal)
    # It says what to do about it, and that helps.
    reader = consumer(application.bootstrap_servers, "none")
    application.set_offsets([watermarks(reader, application.lines, partition)[1] for partition in range(PARTITIONS)])
    reader.close()
    application.count(2, in_all=50, folder=folder)
    records, values = application.counts()
    assert set(records.values()) == {5}
    assert len(values) == 5


def test_offsets_that_were_set_back_are_refused_by_who_has_read_further(application):
    application.count(3, in_all=30)
    application.set_offsets([0] * PARTITIONS)
    assert isinstance(application.refusal(), OffsetsLost)
    # As the error says: without its folder it takes them as they are, and counts on from what the changelog has.
    application.count(0, in_all=60, folder="another")
    assert len(application.counts()[1]) == 6


def test_a_topic_that_was_made_anew_is_read_from_its_beginning(application):
    application.count(3, in_all=30)
    application.admin.delete_topics([application.lines])[application.lines].result(60)
    application.forget()
    changelog = f"{application.name}-lines-changelog"
    application.admin.delete_topics([changelog])[changelog].result(60)
    ensure_topics(application.bootstrap_servers, [Topic(application.lines, PARTITIONS)])
    application.count(1, in_all=40)
    assert len(application.counts()[1]) == 3


def copying(name, prefix):
    topology = Topology(name)
    topology.stream(f"{prefix}lines", bytes).to(f"{prefix}counts")
    return topology


def test_a_stateless_application_reads_a_topic_that_was_made_anew(engine, unique, tmp_path):
    application = Counting(engine, unique, tmp_path, copying)
    application.count(3, in_all=30)
    application.admin.delete_topics([application.lines])[application.lines].result(60)
    application.forget()
    ensure_topics(application.bootstrap_servers, [Topic(application.lines, PARTITIONS)])
    application.count(1, in_all=40)
    assert set(application.counts()[0].values()) == {4}


class Ticking:
    """Has state by the clock alone."""

    def __init__(self, context):
        self._store = context.store(Stored("ticks", int))
        context.schedule(20, self._tick, by_clock=True)

    def _tick(self, now):
        ticks = (self._store.get("ticks") or 0) + 1
        self._store.put("ticks", ticks)
        return [("ticks", ticks)]

    def process(self, key, value):
        return []


def ticking(name, prefix):
    topology = Topology(name)
    stream = topology.stream(f"{prefix}lines", bytes).process(Ticking, stores=[Stored("ticks", int)], value=int)
    stream.to(f"{prefix}counts")
    return topology


def test_state_that_is_there_by_the_clock_alone_has_offsets_too(engine, unique, tmp_path):
    application = Counting(engine, unique, tmp_path, ticking)
    application.count(0, in_all=5)
    application.count(0, in_all=10, folder="another")
    assert not application.counts()[0].keys() - {b"ticks"}
