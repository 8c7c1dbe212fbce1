"""The producers of a worker: they take turns, and are replaced when it is their turn."""

import pytest
from confluent_kafka import KafkaError, KafkaException

from tailrace.client import ProducerFenced
from tailrace.streams.producers import Producers


class Producer:
    def __init__(self, number):
        self.number = number
        self.must_be_replaced = self.is_closed = False
        self.polls = 0

        self.transactional_id = f"app-1-{number}"
        self.failure = None

    def poll(self, timeout_s):
        self.polls += 1
        if self.failure is not None:
            raise KafkaException(self.failure)

    def close(self):
        self.is_closed = True


@pytest.fixture
def made():
    return []


@pytest.fixture
def replaced():
    return []


@pytest.fixture
def producers(made, replaced):
    def make(number):
        made.append(Producer(number))
        return made[-1]

    return Producers(make, lambda: replaced.append(True))


def test_no_transaction_is_of_the_producer_of_the_one_before(producers, made):
    turns = []
    for _ in range(4):
        turns.append(producers.current.number)
        producers.next()
    assert turns == [0, 1, 0, 1]
    assert len(made) == 2


def test_both_are_there_from_the_beginning_so_that_what_is_open_is_aborted(producers, made):
    assert [each.number for each in made] == [0, 1]


def test_one_at_its_end_is_replaced_with_the_end_of_its_transaction(producers, made, replaced):
    """It would fail at its next poll."""
    first = producers.current
    first.must_be_replaced = True
    producers.next()
    assert first.is_closed
    assert replaced == [True]
    producers.next()
    assert producers.current is made[-1]
    assert producers.current.number == 0


def test_one_that_is_seen_to_be_at_its_end_later_is_replaced_when_its_turn_comes(producers, made, replaced):
    first = producers.current
    producers.next()
    first.must_be_replaced = True
    assert not replaced
    producers.next()
    assert first.is_closed
    assert producers.current is made[-1] is not first
    assert producers.current.number == 0
    assert replaced == [True]


def test_the_current_one_is_renewed_only_if_it_has_to_be(producers, made, replaced):
    first = producers.current
    assert producers.renew() is first
    first.must_be_replaced = True
    assert producers.renew() is producers.current is made[-1] is not first
    assert producers.current.number == 0
    assert replaced == [True]


def test_both_are_polled_and_closed(producers, made):
    producers.poll()
    producers.close()
    assert [(each.polls, each.is_closed) for each in made] == [(1, True), (1, True)]


def test_one_that_has_failed_is_fenced(producers, made):
    made[1].failure = KafkaError(KafkaError.INVALID_TXN_STATE)
    with pytest.raises(ProducerFenced, match=r"app-1-1: .*invalid state"):
        producers.poll()
