"""What librdkafka leaves to its users: whether a cluster has the protocol, and how a killed member's place is taken."""

import socket
import struct
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from subprocess import PIPE, STDOUT

import pytest
from confluent_kafka import KafkaException

from tailrace.client import (
    BrokerUnreachable,
    ConsumerFenced,
    GroupProtocolUnsupported,
    InstanceUnreleased,
    Topic,
    admin,
    assigned_partitions,
    ensure_topics,
    has_consumer_protocol,
    membership_ended,
    release_instance,
)
from tailrace.testing.port import free_port
from tests.groups import make_quick

GIVE_UP_S = 30
PARTITIONS = 4
# Longer than any of these tests waits.
SESSION_TIMEOUT_MS = 60_000
# A member that says what it is told: partitions that come with a plus, and those that go with a minus.
MEMBER = """
import sys
from tailrace.client import consumer
def saying(sign):
    return lambda _, partitions: print(*(f"{sign}{each.partition}" for each in partitions), flush=True)
server, group, instance, topic = sys.argv[1:]
member = consumer(server, group, group_protocol="consumer", group_remote_assignor="range", group_instance_id=instance)
member.subscribe([topic], on_assign=saying("+"), on_revoke=saying("-"), on_lost=saying("lost "))
while True:
    member.poll(1)
"""


class Members:
    """Members of a group, by their instance ids, each in a process."""

    def __init__(self, bootstrap_servers, group, topic, stack):
        self.bootstrap_servers, self.group, self.topic, self._stack = bootstrap_servers, group, topic, stack
        ensure_topics(bootstrap_servers, [Topic(topic, PARTITIONS)])
        make_quick(bootstrap_servers, group, SESSION_TIMEOUT_MS)

    def start(self, instance):
        argv = [sys.executable, "-c", MEMBER, self.bootstrap_servers, self.group, instance, self.topic]
        process = self._stack.enter_context(subprocess.Popen(argv, stdout=PIPE, stderr=STDOUT, text=True))
        self._stack.callback(process.kill)
        return process

    def release(self, instance):
        release_instance(self.bootstrap_servers, self.group, instance)


def told(process):
    """What a member is told next that says something."""
    return next(line.split() for line in process.stdout if line.strip())


def told_at_last(process):
    """End a member and give what it was told meanwhile."""
    process.kill()
    return process.stdout.read().split()


@pytest.fixture
def members(engine, unique):
    with ExitStack() as stack:
        yield Members(engine.bootstrap_servers, unique("group"), unique("topic"), stack)


def test_the_place_of_a_killed_member_is_its_successors_once_it_is_released(members):
    first = members.start("1")
    assert told(first) == ["+0", "+1", "+2", "+3"]
    first.kill()
    refused = members.start("1")
    assert isinstance(membership_ended(refused.stdout.readline()), InstanceUnreleased)
    assert told_at_last(refused) == []
    members.release("1")
    assert told(members.start("1")) == ["+0", "+1", "+2", "+3"]


def test_nothing_moves_to_others_meanwhile(members):
    other = members.start("2")
    assert told(other) == ["+0", "+1", "+2", "+3"]
    first = members.start("1")
    assert told(other) == ["-0", "-1"]
    assert told(first) == ["+0", "+1"]
    first.kill()
    members.release("1")
    second = members.start("1")
    assert told(second) == ["+0", "+1"]
    assert told_at_last(other) == []
    assert told_at_last(second) == []


def test_a_member_that_lives_comes_back_when_it_was_released(members):
    member = members.start("1")
    assert told(member) == ["+0", "+1", "+2", "+3"]
    members.release("1")
    assert told(member) == ["lost", "0", "lost", "1", "lost", "2", "lost", "3"]
    assert told(member) == ["+0", "+1", "+2", "+3"]


def test_nobody_is_released_who_is_not_meant(members):
    member = members.start("2")
    assert told(member) == ["+0", "+1", "+2", "+3"]
    release_instance(members.bootstrap_servers, "no-group", "2")
    members.release("1")
    assert told(members.start("3")) == ["+2", "+3"]
    assert told_at_last(member) == ["-2", "-3"]


def test_the_coordinator_says_what_is_assigned_to_whom(members):
    first = members.start("1")
    assert told(first) == ["+0", "+1", "+2", "+3"]
    second = members.start("2")
    assert told(first) == ["-2", "-3"]
    assert told(second) == ["+2", "+3"]
    client = admin(members.bootstrap_servers)
    group = client.describe_consumer_groups([members.group])[members.group].result(GIVE_UP_S)
    found = {
        member.group_instance_id: assigned_partitions(members.bootstrap_servers, members.group, member.member_id)
        for member in group.members
    }
    assert found == {"1": {(members.topic, 0), (members.topic, 1)}, "2": {(members.topic, 2), (members.topic, 3)}}
    assert assigned_partitions(members.bootstrap_servers, members.group, "somebody") == set()
    assert assigned_partitions(members.bootstrap_servers, "no-group", "somebody") == set()


def test_a_release_that_cannot_be_made_says_why():
    with pytest.raises(KafkaException):
        release_instance(f"127.0.0.1:{free_port()}", "group", "1")


@pytest.mark.parametrize("form", ["{}", "PLAINTEXT://{}", "127.0.0.1:{free}, {}", "[::1]:{free},{}"])
def test_both_engines_have_the_protocol(engine, form):
    assert has_consumer_protocol(form.format(engine.bootstrap_servers, free=free_port()))


@contextmanager
def scripted(answer, port=0):
    """A server that gives one answer to whatever it is asked first, and its address."""

    def serve():
        connection, _ = server.accept()
        with connection:
            size = int.from_bytes(connection.recv(4))
            asked.append(connection.recv(size))
            connection.sendall(answer)

    asked = []
    with socket.create_server(("127.0.0.1", port)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}", asked
        thread.join(GIVE_UP_S)


def api_versions(*keys):
    versions = b"".join(struct.pack(">hhh", key, 0, 1) for key in keys)
    body = struct.pack(">ihi", 0, 0, len(keys)) + versions
    return struct.pack(">i", len(body)) + body


@pytest.mark.parametrize(("keys", "expected"), [((0, 18), False), ((0, 18, 68), True), ((), False)])
def test_it_is_there_if_the_broker_says_so(keys, expected):
    with scripted(api_versions(*keys)) as (address, asked):
        assert has_consumer_protocol(address) is expected
    assert asked == [struct.pack(">hhih", 18, 0, 0, -1)]


@pytest.mark.parametrize("answer", [b"", b"\0\0", api_versions(68)[:-1]])
def test_a_broker_that_breaks_off_is_none(answer):
    with scripted(answer) as (address, _), pytest.raises(BrokerUnreachable):
        has_consumer_protocol(address)


def test_nobody_there_is_said():
    with pytest.raises(BrokerUnreachable):
        has_consumer_protocol(f"127.0.0.1:{free_port()}")


def test_an_error_means_what_its_text_says():
    texts = {
        "Broker: The instance ID is still used by another member in the consumer group": InstanceUnreleased,
        "Broker: API version not supported": GroupProtocolUnsupported,
        # That also a coordinator says which has not loaded the group yet.
        "Broker: The group id does not exist": ConsumerFenced,
        "Broker: Static consumer fenced by other consumer with same group.instance.id": ConsumerFenced,
    }
    for text, meaning in texts.items():
        ended = membership_ended(f"Fatal error: {text}: ConsumerGroupHeartbeat fatal error: {text}")
        assert type(ended) is meaning
        assert text in str(ended)
