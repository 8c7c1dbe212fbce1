"""The partition of a key is that which every producer chooses."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2 as java_murmur2

from tailrace.client import Topic, ensure_topics, producer
from tailrace.client.partitioner import murmur2, partition_of


@pytest.mark.parametrize(
    ("data", "signed"),
    [
        # From the tests of Apache Kafka's clients.
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_it_is_the_hash_of_java(data, signed):
    assert murmur2(data) == signed % (1 << 32)


@given(st.binary(max_size=40))
@example(b"")
@example(b"\xff\xfe\xfd\xfc\xfb")
def test_it_is_the_hash_of_another_implementation(data):
    assert murmur2(data) == java_murmur2(data) & 0xFFFFFFFF


def test_the_producer_chooses_the_same(broker, unique):
    topic, partitions, found = unique("partitions"), 7, {}
    ensure_topics(broker.bootstrap_servers, [Topic(topic, partitions)])
    sender = producer(broker.bootstrap_servers)
    for number in range(100):
        key = bytes(range(number)) if number % 2 else b"key-%d" % number
        sender.produce(topic, b"", key, on_delivery=lambda _, m: found.update({m.key() or b"": m.partition()}))
    sender.flush(60)
    assert found == {key: partition_of(key, partitions) for key in found}
    assert len(found) == 100
