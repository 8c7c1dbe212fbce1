"""Feeding the tasks: tables before streams, and a rebalance at any moment. The consumer is scripted, as no real one can
be made to rebalance between two given records."""

import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from confluent_kafka import OFFSET_END, KafkaError, KafkaException, TopicPartition

from tailrace.client import ConsumerFenced
from tailrace.streams import StreamsConfig, Topology
from tailrace.streams import feed as feed_module
from tailrace.streams.feed import Feed
from tailrace.streams.plan import Plan
from tailrace.streams.progress import Progress


def looked_up():
    topology = Topology("app")
    accounts = topology.table("accounts", str)
    decisions = topology.stream("requests", str).decide("app", max, max, initial="", tables=[accounts])
    decisions.to("events", str)
    return Plan(topology)


def joined():
    topology = Topology("app")
    topology.stream("requests", str).join(topology.table("accounts", str), max).to("events", str)
    return Plan(topology)


@dataclass
class Item:
    """A record, or what stands in its place."""

    at: tuple[str, int]
    code: int | None = None
    time: int = 0

    def topic(self):
        return self.at[0]

    def partition(self):
        return 0

    def offset(self):
        return self.at[1]

    def timestamp(self):
        return 1, self.time

    def error(self):
        return None if self.code is None else KafkaError(self.code)


def end(topic, offset):
    return Item((topic, offset), KafkaError._PARTITION_EOF)


@dataclass
class ScriptedConsumer:
    """Gives one item after the other; a function among them is a callback that the client would call."""

    script: list
    ends: dict[str, int] = field(default_factory=dict)
    assigned: list = field(default_factory=list)
    unassigned: list = field(default_factory=list)
    sought: list = field(default_factory=list)
    paused: set = field(default_factory=set)
    asked: int = 0
    is_broker_gone: bool = False

    def subscribe(self, topics, **callbacks):
        self.callbacks = callbacks

    def consume(self, count, timeout_s):
        items = []
        while self.script and len(items) < count:
            step = self.script.pop(0)
            if step is None:
                break
            if callable(step):
                step()
            else:
                items.append(step)
        return items

    def assign(self, positions):
        self.assigned.append(positions)

    incremental_assign = assign

    def incremental_unassign(self, partitions):
        self.unassigned.append(partitions)

    def seek(self, partition):
        self.sought.append((partition.topic, partition.offset))

    def pause(self, partitions):
        self.paused |= {partition.topic for partition in partitions}

    def resume(self, partitions):
        self.paused -= {partition.topic for partition in partitions}


@dataclass
class Asker:
    """The client that is asked where topics end, since on the consumer's connections a question waits for a fetch."""

    consumer: ScriptedConsumer

    def offsets_for_times(self, partitions, timeout_s):
        assert all(partition.offset == OFFSET_END for partition in partitions)
        self.consumer.asked += 1
        if self.consumer.is_broker_gone:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return [TopicPartition(p.topic, p.partition, self.consumer.ends.get(p.topic, 0)) for p in partitions]


class Assignment:
    """Topics as far as they were read; all are of one task."""

    def __init__(self, positions=(), **read):
        self.tasks = {("task", 0): None}
        self.progress = Progress({(topic, 0): offset for topic, offset in read.items()})
        self._positions = dict(positions)

    def id_of(self, topic, partition):
        return "task", partition

    def task_of(self, topic, partition):
        return self

    def position(self, source):
        return TopicPartition(*source, self._positions[source[0]])

    def positions(self):
        return [TopicPartition(topic, 0, offset) for topic, offset in self._positions.items()]


def feed(script, ends=None, assignment=None, on_rebalance=lambda partitions: None, plan=None, max_batch=100, **config):
    consumer = ScriptedConsumer(script, ends or {})
    config = StreamsConfig("", Path(), max_batch=max_batch, **config)
    feed = Feed(consumer, Asker(consumer), plan or looked_up(), assignment or Assignment(accounts=0), config)
    feed.subscribe(on_rebalance, on_rebalance, on_rebalance)
    return feed, consumer


def offsets(runs):
    return [(topic, [record.offset() for record in records]) for (topic, _), records in runs]


def test_tables_come_before_streams():
    items = [Item(("requests", 7)), Item(("accounts", 0)), Item(("requests", 8)), Item(("accounts", 1))]
    fed, _ = feed(items, {"accounts": 2})
    assert offsets(fed.poll(0)) == [("accounts", [0, 1]), ("requests", [7, 8])]
    assert fed.is_drained


def test_streams_wait_for_a_table_whose_log_has_more():
    fed, _ = feed([Item(("accounts", 0)), Item(("requests", 7)), None, None, Item(("accounts", 1))], {"accounts": 2})
    assert offsets(fed.poll(0)) == [("accounts", [0, 1]), ("requests", [7])]


def test_a_broker_that_does_not_say_where_a_table_ends_is_asked_again():
    fed, consumer = feed([], {"accounts": 1})
    consumer.is_broker_gone = True
    back = [lambda: setattr(consumer, "is_broker_gone", False), Item(("accounts", 0))]
    consumer.script += [Item(("requests", 7)), None, *back, None, None, Item(("accounts", 1))]
    assert offsets(fed.poll(0)) == [("accounts", [0]), ("requests", [7])]
    assert consumer.asked > 1


def test_what_waits_for_no_table_asks_for_no_ends():
    fed, consumer = feed([Item(("accounts", 0)), Item(("accounts", 1))], {"accounts": 9})
    assert offsets(fed.poll(0)) == [("accounts", [0, 1])]
    assert consumer.asked == 0


def test_streams_do_not_wait_for_what_a_table_got_later():
    fed, consumer = feed([], {"accounts": 1})
    grown = [lambda: consumer.ends.update(accounts=2), Item(("accounts", 0))]
    consumer.script += [Item(("requests", 7)), None, *grown, None, Item(("accounts", 1))]
    assert offsets(fed.poll(0)) == [("accounts", [0]), ("requests", [7])]


def test_a_request_that_comes_while_a_table_is_caught_up_with_waits_for_what_was_written_before_it():
    fed, consumer = feed([], {"accounts": 1})
    grown = [lambda: consumer.ends.update(accounts=2), Item(("requests", 8)), Item(("accounts", 0))]
    consumer.script += [Item(("requests", 7)), None, *grown, None, None]
    assert offsets(fed.poll(0)) == [("accounts", [0]), ("requests", [7])]
    assert not fed.is_drained
    consumer.script += [Item(("accounts", 1))]
    assert offsets(fed.poll(0)) == [("accounts", [1]), ("requests", [8])]
    assert fed.is_drained


def test_a_request_is_given_once_its_table_is_caught_up_with_however_long_that_takes(monkeypatch):
    monkeypatch.setattr(feed_module, "TABLE_WAIT_S", 0.01)
    fed, consumer = feed([Item(("requests", 7)), None, Item(("accounts", 0))], {"accounts": 2})
    assert offsets(fed.poll(0)) == [("accounts", [0])]
    for _ in range(3):
        assert fed.poll(0) == []
        assert not fed.is_drained
    consumer.script += [Item(("requests", 8)), Item(("accounts", 1))]
    assert offsets(fed.poll(0)) == [("accounts", [1]), ("requests", [7, 8])]
    assert fed.is_drained


@pytest.mark.parametrize("is_incremental", [True, False])
def test_requests_that_wait_for_a_table_are_read_again_after_a_rebalance(monkeypatch, is_incremental):
    monkeypatch.setattr(feed_module, "TABLE_WAIT_S", 0.01)
    assignment = Assignment({"requests": 7, "accounts": 0}, accounts=0)
    config = {"group_protocol": "consumer" if is_incremental else "classic"}
    fed, consumer = feed([Item(("requests", 7))], {"accounts": 1}, assignment, **config)
    assert fed.poll(0) == []
    consumer.script += [lambda: consumer.callbacks["on_assign"](consumer, []), None]
    assert fed.poll(0) == []
    if is_incremental:
        assert consumer.sought == [("requests", 7)]
    else:
        assert consumer.assigned == [[TopicPartition("requests", 0, 7), TopicPartition("accounts", 0, 0)]]
    consumer.script += [Item(("requests", 7)), Item(("accounts", 0))]
    assert offsets(fed.poll(0)) == [("accounts", [0]), ("requests", [7])]


def test_requests_that_wait_for_a_table_are_read_again_after_an_abort(monkeypatch):
    monkeypatch.setattr(feed_module, "TABLE_WAIT_S", 0.01)
    assignment = Assignment({"requests": 6, "accounts": 0}, accounts=0)
    error = Item((None, 0), KafkaError._ALL_BROKERS_DOWN)
    fed, consumer = feed([Item(("requests", 7)), None, error], {"accounts": 1}, assignment)
    assert fed.poll(0) == []
    fed.rewind([])
    assert consumer.sought == [("requests", 6)]
    consumer.script += [Item(("requests", 6)), Item(("requests", 7)), Item(("accounts", 0))]
    assert offsets(fed.poll(0)) == [("accounts", [0]), ("requests", [6, 7])]


def test_the_end_of_a_table_counts_what_is_no_record():
    fed, _ = feed([end("accounts", 5), Item(("requests", 7))], {"accounts": 5})
    assert offsets(fed.poll(0)) == [("requests", [7])]
    assert fed._assignment.progress.positions == {("accounts", 0): 5}


@pytest.mark.parametrize("old", [1, 2, 3])
@pytest.mark.parametrize("gap", [True, False])
def test_records_read_before_a_rebalance_are_given_up_and_reading_begins_anew(old, gap):
    assignment = Assignment(accounts=0)
    fed, consumer = feed([], {"accounts": 1}, assignment, lambda _: setattr(assignment, "progress", Progress({})))
    before = [Item(("requests", offset)) for offset in range(old)]
    consumer.script += [*before, *([None] if gap else []), lambda: consumer.callbacks["on_revoke"](consumer, [])]
    consumer.script += [lambda: consumer.callbacks["on_assign"](consumer, []), Item(("requests", 0))]
    assert fed.poll(0) == []
    assert consumer.assigned == [[]]


def test_a_rebalance_alone_leaves_the_assignment_as_it_is():
    fed, consumer = feed([])
    consumer.script += [lambda: consumer.callbacks["on_assign"](consumer, []), None]
    assert fed.poll(0) == []
    assert consumer.assigned == []


def test_what_a_callback_raises_the_poll_raises():
    def fail(partitions):
        raise ZeroDivisionError

    fed, consumer = feed([], on_rebalance=fail)
    consumer.script += [lambda: consumer.callbacks["on_lost"](consumer, []), Item(("requests", 0))]
    with pytest.raises(ZeroDivisionError):
        fed.poll(0)


def test_a_member_whose_place_is_taken_is_told():
    fed, _ = feed([Item(("", 0), KafkaError._FATAL)])
    with pytest.raises(ConsumerFenced):
        fed.poll(0)


@pytest.mark.parametrize("before", [0, 1])
def test_a_member_whose_place_is_taken_is_told_in_the_middle_of_a_rebalance(before):
    fed, consumer = feed([Item(("requests", 0))] * before)
    consumer.script += [lambda: consumer.callbacks["on_lost"](consumer, []), Item(("", 0), KafkaError._FATAL)]
    with pytest.raises(ConsumerFenced):
        fed.poll(0)


def request(offset, time):
    return Item(("requests", offset), time=time)


def account(offset, time):
    return Item(("accounts", offset), time=time)


def joining(script, ends, **config):
    return feed(script, ends, Assignment(accounts=0, requests=0), plan=joined(), **config)


def test_what_is_joined_comes_in_order_of_time():
    fed, _ = joining([request(0, 1), request(1, 3), account(0, 2), account(1, 3)], {"accounts": 2, "requests": 2})
    assert offsets(fed.poll(0)) == [("requests", [0]), ("accounts", [0, 1]), ("requests", [1])]
    assert fed.is_drained


def test_what_is_joined_waits_for_a_topic_that_is_behind():
    script = [request(0, 1), request(1, 3), None, None, account(0, 2)]
    fed, consumer = joining(script, {"accounts": 2, "requests": 2})
    assert offsets(fed.poll(0)) == []
    assert not fed.is_drained
    assert offsets(fed.poll(0)) == []
    assert offsets(fed.poll(0)) == [("requests", [0]), ("accounts", [0])]
    consumer.script += [account(1, 9)]
    assert offsets(fed.poll(0)) == [("requests", [1]), ("accounts", [1])]
    assert fed.is_drained


def test_what_is_joined_waits_for_what_was_written_since_the_client_last_heard_of_a_topic():
    fed, consumer = joining([account(0, 1), request(0, 2)], {"accounts": 1, "requests": 1})
    assert offsets(fed.poll(0)) == [("accounts", [0]), ("requests", [0])]
    consumer.script += [lambda: consumer.ends.update(accounts=2, requests=2), request(1, 9)]
    assert offsets(fed.poll(0)) == []
    consumer.script += [account(1, 8)]
    assert offsets(fed.poll(0)) == [("accounts", [1]), ("requests", [1])]


def test_what_is_joined_waits_while_the_broker_does_not_say_where_topics_end():
    fed, consumer = joining([request(0, 1)], {"requests": 1})
    consumer.is_broker_gone = True
    assert offsets(fed.poll(0)) == []
    consumer.is_broker_gone = False
    assert offsets(fed.poll(0)) == [("requests", [0])]


def test_a_topic_of_which_much_waits_is_not_read_until_it_is_its_turn():
    fed, consumer = joining([request(n, 5) for n in range(6)], {"accounts": 1, "requests": 9}, max_batch=2)
    for _ in range(3):
        assert fed.poll(0) == []
    assert consumer.paused == {"requests"}
    consumer.script += [account(0, 1)]
    assert offsets(fed.poll(0)) == [("accounts", [0]), ("requests", [0, 1, 2, 3, 4, 5])]
    assert consumer.paused == set()


def test_after_an_abort_what_waited_is_read_again_as_well():
    script = [request(0, 1), request(1, 3), None, None, account(0, 2)]
    assignment = Assignment({"requests": 0, "accounts": 0}, accounts=0, requests=0)
    fed, consumer = feed(script, {"accounts": 2, "requests": 2}, assignment, plan=joined())
    for _ in range(3):
        fed.poll(0)
    assert not fed.is_drained
    fed.rewind([("accounts", 0)])
    assert sorted(consumer.sought) == [("accounts", 0), ("requests", 0)]
    # Nothing is known of the topics until they are read again.
    consumer.script += [request(0, 1)]
    assert fed.poll(0) == []


def test_a_rebalance_forgets_what_waited():
    fed, consumer = joining([request(n, 5) for n in range(6)], {"accounts": 1, "requests": 6}, max_batch=2)
    for _ in range(3):
        fed.poll(0)
    consumer.script += [lambda: consumer.callbacks["on_assign"](consumer, []), None, account(0, 1)]
    fed.poll(0)
    assert consumer.paused == set()
    assert offsets(fed.poll(0)) == [("accounts", [0])]


def test_records_wait_as_told_for_earlier_ones_that_may_still_be_written():
    fed, consumer = joining([request(0, 5), end("accounts", 0)], {"accounts": 0, "requests": 1}, max_task_idle_ms=200)
    begun = time.monotonic()
    while not (runs := fed.poll(0)):
        assert not fed.is_drained
    assert offsets(runs) == [("requests", [0])]
    assert time.monotonic() - begun >= 0.2
    consumer.script += [request(1, 9)]
    assert fed.poll(0) == []
    consumer.script += [account(0, 7)]
    consumer.ends.update(accounts=1)
    assert offsets(fed.poll(0)) == [("accounts", [0])]


def incremental(script, ends, assignment=None, **config):
    assignment = assignment or Assignment({"requests": 5, "accounts": 3}, accounts=3, requests=5)
    return feed(script, ends, assignment, plan=joined(), group_protocol="consumer", **config)


@pytest.mark.parametrize("callback", ["on_assign", "on_revoke"])
def test_what_is_in_hand_when_only_some_partitions_come_or_go_is_read_again(callback):
    """From where the task is, of all its topics, since records of the others may have waited."""
    fed, consumer = incremental([request(5, 9)], {"accounts": 4, "requests": 6})
    assert fed.poll(0) == []
    consumer.script += [request(6, 10), lambda: consumer.callbacks[callback](consumer, [TopicPartition("requests", 1)])]
    consumer.script += [None]
    assert fed.poll(0) == []
    assert sorted(consumer.sought) == [("accounts", 3), ("requests", 5)]
    consumer.script += [account(3, 1), request(5, 9)]
    assert offsets(fed.poll(0)) == [("accounts", [3]), ("requests", [5])]


def test_what_waits_is_kept_when_other_partitions_come_or_go():
    fed, consumer = incremental([request(5, 9)], {"accounts": 4, "requests": 6})
    assert fed.poll(0) == []
    consumer.script += [lambda: consumer.callbacks["on_revoke"](consumer, [TopicPartition("requests", 1)]), None]
    assert fed.poll(0) == []
    assert consumer.sought == []
    consumer.script += [account(3, 1)]
    assert offsets(fed.poll(0)) == [("accounts", [3]), ("requests", [5])]


def test_the_end_of_a_partition_that_was_heard_in_a_rebalance_is_heard_again():
    fed, consumer = incremental([], {})
    consumer.script += [request(5, 9), end("accounts", 4), lambda: consumer.callbacks["on_revoke"](consumer, []), None]
    fed.poll(0)
    assert sorted(consumer.sought) == [("accounts", 3), ("requests", 5)]


def test_partitions_that_were_given_are_not_read_before_they_are_begun():
    fed, consumer = incremental([], {})
    fed.acknowledge()
    assert consumer.assigned == [[]]
    fed.begin([("requests", 0)])
    assert consumer.assigned == [[], [TopicPartition("requests", 0, 5)]]
    fed.begin([])
    assert len(consumer.assigned) == 2


def test_only_what_was_begun_is_let_go():
    """The client refuses to let go what it does not read, and the rebalance would not come to its end."""
    told = []
    fed, consumer = feed([], {}, Assignment({"requests": 5}), told.append, joined(), group_protocol="consumer")
    fed.begin([("requests", 0)])
    given = [TopicPartition("requests", 0), TopicPartition("accounts", 0)]
    for callback in ("on_revoke", "on_lost"):
        consumer.callbacks[callback](consumer, given)
    assert told == [given, given]
    assert consumer.unassigned == [[TopicPartition("requests", 0)], []]


def test_what_is_let_go_is_so_also_when_that_fails():
    def fail(partitions):
        raise ZeroDivisionError

    fed, consumer = feed([], {}, Assignment({"requests": 5}), fail, joined(), group_protocol="consumer")
    fed.begin([("requests", 0)])
    consumer.callbacks["on_revoke"](consumer, [TopicPartition("requests", 0)])
    assert consumer.unassigned == [[TopicPartition("requests", 0)]]


def test_of_the_classic_protocol_all_is_assigned_anew():
    fed, consumer = feed([], {}, Assignment({"requests": 5, "accounts": 3}), plan=joined(), group_protocol="classic")
    fed.begin([("requests", 0), ("accounts", 0)])
    fed.begin([("requests", 0)])
    both = [TopicPartition("accounts", 0, 3), TopicPartition("requests", 0, 5)]
    assert consumer.assigned == [both, [TopicPartition("requests", 0, 5)]]
    consumer.callbacks["on_revoke"](consumer, [TopicPartition("requests", 0)])
    assert consumer.unassigned == []
