"""Whose a partition is, by the group's word and not by the client's."""

import os
import signal
import threading
import time

import pytest
import structlog
from confluent_kafka import KafkaError, KafkaException

from tailrace.client import admin
from tailrace.streams import ownership
from tailrace.streams.opening import Opener
from tailrace.streams.ownership import Ownership
from tailrace.testing.broker import BrokerProcess
from tests.tailrace.streams.application import Application
from tests.tailrace.streams.test_runtime import check_exactly_once, requests, wait_until

MINE, YOURS = ("topic", 0), ("topic", 1)


class Member:
    def memberid(self):
        return "me"


def answering(monkeypatch, *answers):
    """Have the coordinator give one answer after the other."""
    remaining, asked = list(answers), []

    def answer(*question):
        asked.append(question)
        found = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        if isinstance(found, int):
            raise KafkaException(KafkaError(found))
        return found

    monkeypatch.setattr(ownership, "assigned_partitions", answer)
    return asked


def test_what_the_group_does_not_count_as_a_members_is_not(monkeypatch):
    asked = answering(monkeypatch, {MINE, ("topic", 2)})
    assert Ownership("app", "there:1", Member(), lambda: False).of([MINE, YOURS]) == {MINE}
    assert asked == [("there:1", "app", "me")]


def test_of_nothing_nobody_is_asked(monkeypatch):
    asked = answering(monkeypatch, {MINE})
    assert Ownership("app", "there:1", Member(), lambda: False).of([]) == set()
    assert asked == []


def test_a_coordinator_that_cannot_say_is_asked_again(monkeypatch):
    asked = answering(monkeypatch, KafkaError._TRANSPORT, KafkaError.COORDINATOR_LOAD_IN_PROGRESS, {MINE})
    assert Ownership("app", "there:1", Member(), lambda: False).of([MINE]) == {MINE}
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("code", "stopped"), [(KafkaError._TRANSPORT, True), (KafkaError.GROUP_AUTHORIZATION_FAILED, False)]
)
def test_one_that_is_not_waited_for_is_told_of(monkeypatch, code, stopped):
    answering(monkeypatch, code)
    with pytest.raises(KafkaException) as failure:
        Ownership("app", "there:1", Member(), lambda: stopped).of([MINE])
    assert failure.value.args[0].code() == code


def test_tasks_begin_when_the_group_says_that_they_are_here(engine, unique, tmp_path, monkeypatch):
    ask, nothing = ownership.assigned_partitions, [set(), set(), set()]
    monkeypatch.setattr(
        ownership, "assigned_partitions", lambda *question: nothing.pop() if nothing else ask(*question)
    )
    application = Application(engine.bootstrap_servers, unique("sums"), tmp_path)
    application.send(requests(100))
    with structlog.testing.capture_logs() as logs, application.start():
        application.wait_for_added(100)
    assert [line["event"] for line in logs].count("partitions wait") == 1
    assert nothing == []
    check_exactly_once(application, 100)


def group_of(application):
    client = admin(application.bootstrap_servers)
    return client.describe_consumer_groups([application.name])[application.name].result(60)


def test_a_partition_is_with_one_instance_also_when_the_broker_ends_while_it_is_taken_over(
    memory, unique, tmp_path, monkeypatch
):
    """librdkafka then tells the coordinator that the instance has less than it is about to have. Before, that was given
    to another, and both processed the same records."""
    open_task, taking_over, go_on = Opener.open, [], threading.Event()

    def opening(self, id_):
        taking_over.append(id_)
        go_on.wait(60)
        return open_task(self, id_)

    with BrokerProcess(memory / "taken-over") as broker:
        application = Application(broker.bootstrap_servers, unique("sums"), tmp_path)
        application.send(requests(100))
        with application.start("1"):
            with application.start("2"):
                application.wait_for_added(100)
            monkeypatch.setattr(Opener, "open", opening)
            wait_until(lambda: taking_over)  # what the second one had
            monkeypatch.setattr(Opener, "open", open_task)
            application.send(requests(100, start=100))
            second = application.start("2")  # is to have it back
            wait_until(lambda: len(group_of(application).members) == 2)
            # A heartbeat is on its way when the broker ends.
            os.kill(broker.pid, signal.SIGSTOP)
            time.sleep(0.5)
            broker.kill()
            broker.start()
            give_up_at = time.monotonic() + 5  # what should not come cannot be waited for
            while (meanwhile := len(application.added())) == 100 and time.monotonic() < give_up_at:
                time.sleep(0.1)
            go_on.set()
            assert meanwhile == 100, "the second one has processed what is still the first one's"
            with second:
                application.wait_for_added(200)
        check_exactly_once(application, 200)
