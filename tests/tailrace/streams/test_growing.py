"""Topics that get more partitions while they are read."""

import re

import pytest
from confluent_kafka.admin import AdminClient, NewPartitions

from tailrace.streams import Topology
from tests.tailrace.streams.application import PARTITIONS, Application


def passing_on(name, prefix):
    topology = Topology(name)
    topology.stream(f"{prefix}in", bytes).to(f"{prefix}out")
    return topology


def counting(name, prefix):
    topology = Topology(name)
    topology.stream(f"{prefix}in", bytes).group_by_key().count(store="n").to(f"{prefix}out")
    return topology


@pytest.fixture
def begun(engine, unique, tmp_path):
    """Starts an instance of an application, and has what it reads grow when it has read something."""

    def begin(make):
        application = Application(engine.bootstrap_servers, unique("growing"), tmp_path, make)
        send(application, 0, 10)
        running = application.start("1", group_protocol="consumer")
        application.wait_for_records(f"{application.prefix}out", 10)
        admin = AdminClient({"bootstrap.servers": engine.bootstrap_servers})
        for future in admin.create_partitions([NewPartitions(f"{application.prefix}in", PARTITIONS + 2)]).values():
            future.result(60)
        application.producer.list_topics(timeout=60)
        return application, running

    return begin


def send(application, partition, count):
    for _ in range(count):
        application.producer.produce(f"{application.prefix}in", b"", key="k", partition=partition)
    assert application.producer.flush(60) == 0


def test_what_comes_in_addition_is_read(begun):
    application, running = begun(passing_on)
    with running:
        send(application, PARTITIONS + 1, 10)
        application.wait_for_records(f"{application.prefix}out", 20)


def test_state_does_not_grow_with_it_and_that_is_said(begun):
    _, running = begun(counting)
    running.thread.join(60)
    assert isinstance(running.failure, ValueError)
    assert re.search(r"topic .*-n-changelog has 3 partitions, expected 5", str(running.failure))
