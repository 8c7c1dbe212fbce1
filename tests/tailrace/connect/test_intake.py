"""A sink task's place in its group, lost while the task waits for its system. The consumer is scripted, as no real one
can be made to lose its place between two given records."""

from threading import Event
from types import SimpleNamespace

import pytest
from confluent_kafka import KafkaError, KafkaException

from tailrace.connect import intake
from tailrace.connect.intake import Intake


class ScriptedConsumer:
    """Gives one item after the other; a function among them is a callback that the client would call."""

    def __init__(self):
        self.script = []
        self.seeks = []

    def subscribe(self, topics, **callbacks):
        self.callbacks = callbacks

    def poll(self, timeout_s):
        while self.script and callable(self.script[0]):
            self.script.pop(0)()
        return self.script.pop(0) if self.script else None

    def consume(self, count, timeout_s):
        return []

    def pause(self, partitions):
        pass

    def resume(self, partitions):
        pass

    def seek(self, position):
        self.seeks.append((position.topic, position.partition, position.offset))


def item(offset, code=None):
    error = None if code is None else KafkaError(code)
    return SimpleNamespace(topic=lambda: "t", partition=lambda: 0, offset=lambda: offset, error=lambda: error)


@pytest.fixture
def consumer(monkeypatch):
    scripted = ScriptedConsumer()
    monkeypatch.setattr(intake, "consumer", lambda *_, **__: scripted)
    return scripted


@pytest.fixture
def member(consumer):
    member = Intake("", "group", {})
    member.subscribe(["t"])
    consumer.callbacks["on_assign"](consumer, [SimpleNamespace(topic="t", partition=0)])
    return member


def test_what_arrives_while_it_waits_is_fetched_later(consumer, member):
    consumer.script += [item(7)]
    assert member.wait(0.01, Event())
    assert [message.offset() for message in member.fetch(10)] == [7]


def test_what_is_taken_back_comes_again_from_the_first_on(consumer, member):
    consumer.script += [item(7)]
    member.wait(0.01, Event())
    member.take_back([item(5), item(6)])
    assert consumer.seeks == [("t", 0, 5)]
    assert member.fetch(10) == []


def test_the_loss_of_its_place_is_told_also_in_the_middle_of_a_rebalance(consumer, member):
    lost = [SimpleNamespace(topic="t", partition=0)]
    consumer.script += [lambda: consumer.callbacks["on_lost"](consumer, lost), item(0, KafkaError._FATAL)]
    with pytest.raises(KafkaException):
        member.wait(10, Event())
