"""The group protocol of KIP-848, as far as librdkafka leaves it to its users.

It does not ask whether the cluster has the protocol, and waits for ever where that is older than 4.0. It gives up where
it is to take the place of a static member that was killed, which has it until its session ends. Of a fatal error only
the text says which one it is. And after a lost connection it tells the coordinator what it has without the partitions
whose assignment the application has not confirmed yet: those are given to another member, while this one gets them too.
"""

import contextlib
import struct
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from tailrace.client.errors import (
    BrokerUnreachable,
    ClientError,
    ConsumerFenced,
    GroupProtocolUnsupported,
    InstanceUnreleased,
)
from tailrace.client.requests import TIMEOUT_S, Address, addresses, ask, check, exchange

API_VERSIONS, CONSUMER_GROUP_HEARTBEAT = 18, 68
# The epoch in which a static member goes and is expected back.
LEAVE_GROUP_STATIC_MEMBER_EPOCH = -2
NOT_TOLD_MS = -1

MEANINGS: dict[str, type[ClientError]] = {
    KafkaError(KafkaError.UNRELEASED_INSTANCE_ID).str(): InstanceUnreleased,
    KafkaError(KafkaError.UNSUPPORTED_VERSION).str(): GroupProtocolUnsupported,
}


def has_consumer_protocol(bootstrap_servers: str) -> bool:
    """Whether the cluster knows the protocol; that it is switched off, joining tells. Raises BrokerUnreachable."""
    for address in addresses(bootstrap_servers):
        try:
            # Version 0 of the request has no content, and of the response a list of APIs and their versions.
            response = exchange(address, struct.pack(">hhih", API_VERSIONS, 0, 0, -1))
        except KafkaException:
            continue
        return CONSUMER_GROUP_HEARTBEAT in {api for api, _, _ in struct.iter_unpack(">hhh", response[10:])}
    raise BrokerUnreachable(bootstrap_servers, TIMEOUT_S)


def membership_ended(text: str) -> ClientError:
    """What a consumer's fatal error means: InstanceUnreleased, GroupProtocolUnsupported or ConsumerFenced."""
    return next((meaning(text) for part, meaning in MEANINGS.items() if part in text), ConsumerFenced(text))


def assigned_partitions(bootstrap_servers: str, group_id: str, member_id: str) -> set[tuple[str, int]]:
    """What the coordinator counts as a member's, by topic and partition: it gives none of that to anybody else before
    the member has let it go or has been given up. Nothing when there is no such member.

    Raises KafkaException.
    """
    _, members = _describe(bootstrap_servers, group_id)
    found = (
        topic for member in members if member.member_id == member_id for topic in member.assignment.topic_partitions
    )
    return {(topic.topic_name, partition) for topic in found for partition in topic.partitions}


def release_instance(bootstrap_servers: str, group_id: str, instance_id: str) -> None:
    """Say for a static member that it is away, as one that was killed could not; do nothing where there is none.

    Its partitions are kept for whoever joins with the instance id next, so that nothing moves. Should it be alive after
    all, it is fenced then.

    Raises KafkaException.
    """
    coordinator, members = _describe(bootstrap_servers, group_id)
    for member in members:
        if member.instance_id == instance_id:
            answer = ask(
                coordinator,
                "consumer_group_heartbeat",
                0,
                group_id=group_id,
                member_id=member.member_id,
                member_epoch=LEAVE_GROUP_STATIC_MEMBER_EPOCH,
                instance_id=instance_id,
                rebalance_timeout=NOT_TOLD_MS,
                subscribed_topic_names=None,
                topic_partitions=None,
            )
            check(answer)


def _describe(bootstrap_servers: str, group_id: str) -> tuple[Address, tuple[Any, ...]]:
    """The coordinator of a group, and the members, of which there are none where there is no group."""
    coordinator = _coordinator(bootstrap_servers, group_id)
    [group] = ask(coordinator, "consumer_group_describe", 0, group_ids=[group_id]).groups
    if group.error_code.value == KafkaError.GROUP_ID_NOT_FOUND:
        return coordinator, ()
    return coordinator, check(group).members


def _coordinator(bootstrap_servers: str, group_id: str) -> Address:
    """Where the coordinator is, as the first of the servers says that answers."""
    *others, last = addresses(bootstrap_servers)
    for address in others:
        with contextlib.suppress(KafkaException):
            return _ask_for_coordinator(address, group_id)
    return _ask_for_coordinator(last, group_id)


def _ask_for_coordinator(address: Address, group_id: str) -> Address:
    [found] = ask(address, "find_coordinator", 4, coordinator_keys=[group_id]).coordinators
    check(found)
    return found.host, found.port
