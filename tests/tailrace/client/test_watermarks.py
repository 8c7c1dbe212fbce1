"""Where partitions end, for who reads committed records: transactions that are open are beyond it."""

from collections.abc import Callable

from tailrace.client import Topic, consumer, ends, ensure_topics, producer
from tailrace.testing.port import free_port
from tests.conftest import Engine


def test_ends_are_those_of_committed_records_markers_included(engine: Engine, unique: Callable[[str], str]) -> None:
    address, topic, other = engine.bootstrap_servers, unique("topic"), unique("other")
    ensure_topics(address, [Topic(topic, 2), Topic(other)])
    reader = consumer(address, unique("group"))
    asked = [(topic, 0), (topic, 1), (other, 0)]
    while not (found := ends(reader, asked, 10)):
        pass  # on Apache Kafka, partitions made a moment ago may have no leader yet
    assert found == dict.fromkeys(asked, 0)
    writer = producer(address, transactional_id=unique("id"))
    writer.init_transactions()
    writer.begin_transaction()
    for number in range(3):
        writer.produce(topic, b"%d" % number, partition=0)
    assert writer.flush() == 0
    assert ends(reader, asked, 10) == dict.fromkeys(asked, 0)
    writer.commit_transaction()
    while not (found := ends(reader, asked, 10))[topic, 0]:
        pass  # Apache Kafka answers a commit before it has written the markers
    assert found == {(topic, 0): 4, (topic, 1): 0, (other, 0): 0}
    reader.close()


def test_ends_that_nobody_tells_are_left_out(engine: Engine, unique: Callable[[str], str]) -> None:
    reader = consumer(f"127.0.0.1:{free_port()}", "group")
    assert ends(reader, [("topic", 0)], 0.05) == {}
    reader.close()
    topic = unique("topic")
    ensure_topics(engine.bootstrap_servers, [Topic(topic)])
    reader = consumer(engine.bootstrap_servers, "group")
    asked = [(topic, 0), (unique("nowhere"), 0), (topic, 7)]
    while not (found := ends(reader, asked, 10)):
        pass
    assert found == {(topic, 0): 0}
    reader.close()
