"""How instances come into their group: by which protocol, and into the place that they had when they were killed."""

import pytest
import structlog
from confluent_kafka import ConsumerGroupType

from tailrace.client import (
    BrokerUnreachable,
    GroupProtocolUnsupported,
    InstanceUnreleased,
    Topic,
    ensure_topics,
    producer,
)
from tailrace.streams import StreamsConfig
from tailrace.streams.joining import Joining
from tailrace.testing.port import free_port
from tests.groups import make_quick
from tests.tailrace.client.test_consumer_protocol import api_versions, scripted
from tests.tailrace.streams.application import Application
from tests.tailrace.streams.chaos.instances import Instances
from tests.tailrace.streams.chaos.system import wait_for_records
from tests.tailrace.streams.test_runtime import check_exactly_once, groups, requests, wait_until

PARTITIONS = 4
# Longer than any of these tests waits.
SESSION_TIMEOUT_MS = 60_000
CLASSIC_ONLY = {"group.coordinator.rebalance.protocols": "classic"}


def group_type(application):
    (group,) = groups(application)
    return group.type


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, ConsumerGroupType.CONSUMER),
        ({"group_protocol": "consumer"}, ConsumerGroupType.CONSUMER),
        ({"group_protocol": "classic"}, ConsumerGroupType.CLASSIC),
    ],
)
def test_kip_848_is_used_unless_it_is_declined(engine, unique, tmp_path, config, expected):
    application = Application(engine.bootstrap_servers, unique("sums"), tmp_path)
    application.send(requests(100))
    with application.start(**config):
        application.wait_for_added(100)
        assert group_type(application) is expected


@pytest.mark.kafka
def test_the_classic_protocol_is_used_where_the_cluster_has_no_other(unique, tmp_path, memory):
    from tailrace.testing.kafka import KafkaProcess

    with KafkaProcess(memory / "classic-only", properties=CLASSIC_ONLY) as kafka:
        application = Application(kafka.bootstrap_servers, unique("sums"), tmp_path)
        application.send(requests(100))
        with application.start():
            application.wait_for_added(100)
            assert group_type(application) is ConsumerGroupType.CLASSIC
        check_exactly_once(application, 100)

        insisting = application.start(group_protocol="consumer")
        insisting.thread.join(60)
        assert isinstance(insisting.failure, GroupProtocolUnsupported)
        assert 'use "classic"' in str(insisting.failure)


def test_an_instance_waits_until_those_of_the_other_protocol_are_gone(broker, unique, tmp_path):
    """The embedded broker does not change a group's protocol while it has members."""
    application = Application(broker.bootstrap_servers, unique("sums"), tmp_path)
    application.send(requests(300))
    with structlog.testing.capture_logs() as logs:
        with application.start("1", group_protocol="classic"):
            waiting = application.start("2")
            application.wait_for_added(300)
            wait_until(lambda: any(line["event"] == "starting over from what is committed" for line in logs))
            assert group_type(application) is ConsumerGroupType.CLASSIC
        with waiting:
            application.send(requests(300, start=300))
            application.wait_for_added(600)
            assert group_type(application) is ConsumerGroupType.CONSUMER
    check_exactly_once(application, 600)


@pytest.mark.parametrize(("keys", "expected"), [((18,), "classic"), ((18, 68), "consumer")])
def test_a_cluster_is_asked_what_it_knows(keys, expected):
    with scripted(api_versions(*keys)) as (address, _):
        assert Joining("app", StreamsConfig(address, None)).config().group_protocol == expected


def test_nobody_waits_for_a_protocol_that_a_cluster_does_not_know():
    with scripted(api_versions(18)) as (address, _), pytest.raises(GroupProtocolUnsupported, match="app cannot join"):
        Joining("app", StreamsConfig(address, None, group_protocol="consumer")).config()


def test_a_cluster_that_is_not_there_yet_is_asked_again_and_one_that_answered_is_not():
    port = free_port()
    joining = Joining("app", StreamsConfig(f"127.0.0.1:{port}", None))
    with pytest.raises(BrokerUnreachable):
        joining.config()
    with scripted(api_versions(18, 68), port):
        assert joining.config().group_protocol == "consumer"
    assert joining.config().group_protocol == "consumer"


def test_the_classic_protocol_is_used_without_asking():
    config = StreamsConfig(f"127.0.0.1:{free_port()}", None, group_protocol="classic")
    assert Joining("app", config).config() == config


def test_a_place_that_cannot_be_released_is_waited_for():
    config = StreamsConfig(f"127.0.0.1:{free_port()}", None, group_protocol="classic")
    with structlog.testing.capture_logs() as logs:
        assert not Joining("app", config).refused(InstanceUnreleased("it is taken"))
    (line,) = logs
    assert line["event"] == "waiting until an instance that did not leave is given up"


@pytest.mark.parametrize("group_protocol", ["auto", "classic"])
def test_an_instance_that_was_killed_has_its_place_back_at_once(engine, unique, tmp_path, group_protocol):
    """Long before its session ends, and no other one is given anything meanwhile."""
    application, address = unique("counts"), engine.bootstrap_servers
    ensure_topics(address, [Topic(f"{application}-{topic}", PARTITIONS) for topic in ("lines", "counts")])
    settings = {"group_protocol": group_protocol, "session_timeout_ms": SESSION_TIMEOUT_MS}
    with Instances(address, application, tmp_path, **settings) as instances:
        make_quick(address, application, SESSION_TIMEOUT_MS)
        sender = producer(address)

        def count(total):
            for number in range(100):
                sender.produce(f"{application}-lines", b"line", key=b"%d" % number)
            wait_for_records(address, {f"{application}-counts": PARTITIONS}, total, instances.check, timeout_s=30)

        def assignments(name):
            return instances.log(name).count("assigned  ")

        instances.start("1")
        wait_until(lambda: assignments("1") == 1)
        instances.start("2")
        wait_until(lambda: assignments("2"))
        count(100)
        before = assignments("2")
        instances.kill("1")
        instances.start("1")
        count(200)
        if group_protocol == "auto":
            assert assignments("2") == before
            said = instances.log("1")
            assert "taking the place of an instance that did not leave" in said
            assert "Fatal" not in said
