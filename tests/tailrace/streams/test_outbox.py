"""The outbox: every output reaches the producer once and in order, however often that has no room for it."""

import pytest
from confluent_kafka import KafkaError, KafkaException
from hypothesis import given
from hypothesis import strategies as st

from tailrace.client import ProducerFenced, TransactionAborted
from tailrace.streams.errors import Unwritable
from tailrace.streams.outbox import Outbox


class Delivered:
    def __init__(self, topic, partition, offset):
        self.topic, self.partition, self.offset = (lambda: topic), (lambda: partition), (lambda: offset)


class Producing:
    """A producer that fails at some of its calls with the given errors, and takes the rest."""

    def __init__(self, failures=None):
        self.failures, self.calls, self.polls, self.aborts, self.taken, self.watched = failures or {}, 0, 0, 0, [], []

    def produce(
        self, topic, value=None, key=None, partition=-1, callback=None, on_delivery=None, timestamp=0, headers=None
    ):
        self.calls += 1
        if (failure := self.failures.get(self.calls)) is not None:
            raise failure
        self.taken.append((topic, partition, key, value, headers, timestamp))
        if (watches := callback or on_delivery) is not None:
            self.watched.append((topic, partition))
            watches(None, Delivered(topic, partition, len(self.taken) - 1))

    def poll(self, timeout_s):
        self.polls += 1

    def abort(self):
        self.aborts += 1


OUTPUTS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.sampled_from([-1, 0, 1]),
        st.binary(max_size=2),
        st.binary(max_size=2) | st.none(),
        st.none() | st.just([("h", b"1")]),
        st.integers(0, 9),
    ),
    max_size=12,
)


def sent(outputs, producer):
    outbox = Outbox()
    outbox.outputs.extend(outputs)
    outbox.send(producer)
    assert not outbox
    return outbox


@given(OUTPUTS, st.sets(st.integers(1, 20)))
def test_all_are_taken_in_order_and_the_last_of_each_given_partition_is_watched(outputs, full):
    producer = Producing({call: BufferError() for call in full})
    outbox = sent(outputs, producer)
    assert producer.taken == outputs
    last = {output[:2]: index for index, output in enumerate(outputs) if output[1] >= 0}
    assert outbox.ends == {place: index + 1 for place, index in last.items()}
    assert sorted(producer.watched) == sorted(last)


def test_a_full_producer_is_given_time():
    producer = Producing({1: BufferError(), 2: BufferError()})
    sent([("a", 0, b"k", b"v", None, 1)], producer)
    assert (producer.polls, len(producer.taken)) == (1, 1)


FATAL = KafkaException(KafkaError(KafkaError._FENCED, "fenced", True))


@pytest.mark.parametrize(
    ("failure", "raised", "aborts"),
    [
        (TypeError("a number"), Unwritable, 0),
        (ValueError("no text"), Unwritable, 0),
        (KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)), Unwritable, 0),
        (KafkaException(KafkaError(KafkaError._STATE)), TransactionAborted, 1),
        (FATAL, ProducerFenced, 0),
    ],
)
def test_what_the_client_does_not_take_says_why(failure, raised, aborts):
    producer = Producing({2: failure, 3: failure})
    with pytest.raises(raised):
        sent([("a", 0, b"k", b"v", None, 1)] * 3, producer)
    assert (len(producer.taken), producer.aborts) == (1, aborts)
