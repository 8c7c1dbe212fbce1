"""Feeding the tasks: tables before streams, and a rebalance at any moment. The consumer is scripted, as no real one can
be made to rebalance between two given records."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from confluent_kafka import KafkaError

from tailrace.client import ConsumerFenced
from tailrace.streams.feed import Feed
from tailrace.streams.table_progress import TableProgress

SUB = SimpleNamespace(tables=["accounts"])
PLAN = SimpleNamespace(of_topic={"requests": SUB, "accounts": SUB}, tables={"accounts"})


@dataclass
class Item:
    """A record, or what stands in its place."""

    at: tuple[str, int]
    code: int | None = None

    def topic(self):
        return self.at[0]

    def partition(self):
        return 0

    def offset(self):
        return self.at[1]

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

    def get_watermark_offsets(self, partition, cached):
        assert cached
        return 0, self.ends.get(partition.topic, -1001)


class Assignment:
    """Tables as they stand, and positions that are only passed on."""

    def __init__(self, **tables):
        self.tasks = {0: None}
        self.tables = TableProgress({(topic, 0): offset for topic, offset in tables.items()})

    def positions(self):
        return "positions"


def feed(script, ends=None, assignment=None, on_rebalance=lambda partitions: None):
    consumer = ScriptedConsumer(script, ends or {})
    feed = Feed(consumer, PLAN, assignment or Assignment(accounts=0), max_batch=100)
    feed.subscribe(on_rebalance, on_rebalance, on_rebalance)
    return feed, consumer


def offsets(runs):
    return [(topic, [record.offset() for record in records]) for (topic, _), records in runs.items()]


def test_tables_come_before_streams():
    items = [Item(("requests", 7)), Item(("accounts", 0)), Item(("requests", 8)), Item(("accounts", 1))]
    fed, _ = feed(items, {"accounts": 2})
    assert offsets(fed.poll(0)) == [("accounts", [0, 1]), ("requests", [7, 8])]
    assert fed.is_drained


def test_streams_wait_for_a_table_whose_log_has_more():
    fed, _ = feed([Item(("accounts", 0)), Item(("requests", 7)), None, None, Item(("accounts", 1))], {"accounts": 2})
    assert offsets(fed.poll(0)) == [("accounts", [0, 1]), ("requests", [7])]


@pytest.mark.parametrize("heard", [end("accounts", 0), Item(("accounts", 0))])
def test_streams_wait_for_the_first_word_of_a_table(heard):
    fed, consumer = feed([Item(("requests", 7)), None, None, heard], {"accounts": 0})
    fed.poll(0)
    assert consumer.script == []


def test_streams_do_not_wait_for_what_a_table_got_later():
    fed, consumer = feed([], {"accounts": 1})
    grown = [lambda: consumer.ends.update(accounts=2), Item(("accounts", 0))]
    consumer.script += [end("accounts", 0), Item(("requests", 7)), None, *grown, None, Item(("accounts", 1))]
    assert offsets(fed.poll(0)) == [("accounts", [0]), ("requests", [7])]


def test_the_end_of_a_table_counts_what_is_no_record():
    fed, _ = feed([end("accounts", 5), Item(("requests", 7))], {"accounts": 5})
    assert offsets(fed.poll(0)) == [("requests", [7])]
    assert fed._assignment.tables.positions == {("accounts", 0): 5}


@pytest.mark.parametrize("old", [1, 2, 3])
@pytest.mark.parametrize("gap", [True, False])
def test_records_read_before_a_rebalance_are_given_up_and_reading_begins_anew(old, gap):
    assignment = Assignment(accounts=0)
    fed, consumer = feed([], {"accounts": 0}, assignment, lambda _: setattr(assignment, "tables", TableProgress({})))
    before = [Item(("requests", offset)) for offset in range(old)]
    consumer.script += [*before, *([None] if gap else []), lambda: consumer.callbacks["on_revoke"](consumer, [])]
    consumer.script += [lambda: consumer.callbacks["on_assign"](consumer, []), Item(("requests", 0))]
    assert fed.poll(0) == {}
    assert consumer.assigned == ["positions"]


def test_a_rebalance_alone_leaves_the_assignment_as_it_is():
    fed, consumer = feed([])
    consumer.script += [lambda: consumer.callbacks["on_assign"](consumer, []), None]
    assert fed.poll(0) == {}
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
