"""The group protocol of KIP-848, as far as librdkafka leaves it to its users.

It does not ask whether the cluster has the protocol, and waits for ever where that is older than 4.0. It gives up where
it is to take the place of a static member that was killed, which has it until its session ends. And of a fatal error
only the text says which one it is.
"""

import socket
import struct
from io import BytesIO

from confluent_kafka import KafkaError, KafkaException

from tailrace.client.admin import admin
from tailrace.client.errors import (
    BrokerUnreachable,
    ClientError,
    ConsumerFenced,
    GroupProtocolUnsupported,
    InstanceUnreleased,
)
from tailrace.listening import host_and_port

API_VERSIONS, CONSUMER_GROUP_HEARTBEAT = 18, 68
# The epoch in which a static member goes and is expected back.
LEAVE_GROUP_STATIC_MEMBER_EPOCH = -2
TIMEOUT_S = 5.0
DEFAULT_PORT = 9092

Address = tuple[str, int]

MEANINGS: dict[str, type[ClientError]] = {
    KafkaError(KafkaError.UNRELEASED_INSTANCE_ID).str(): InstanceUnreleased,
    KafkaError(KafkaError.UNSUPPORTED_VERSION).str(): GroupProtocolUnsupported,
}


def has_consumer_protocol(bootstrap_servers: str) -> bool:
    """Whether the cluster knows the protocol; that it is switched off, joining tells. Raises BrokerUnreachable."""
    for address in bootstrap_servers.split(","):
        try:
            # Version 0 of the request has no content, and of the response a list of APIs and their versions.
            response = _exchange(_address(address), struct.pack(">hhih", API_VERSIONS, 0, 0, -1))
        except OSError:
            continue
        return CONSUMER_GROUP_HEARTBEAT in {api for api, _, _ in struct.iter_unpack(">hhh", response[10:])}
    raise BrokerUnreachable(bootstrap_servers, TIMEOUT_S)


def membership_ended(text: str) -> ClientError:
    """What a consumer's fatal error means: InstanceUnreleased, GroupProtocolUnsupported or ConsumerFenced."""
    return next((meaning(text) for part, meaning in MEANINGS.items() if part in text), ConsumerFenced(text))


def release_instance(bootstrap_servers: str, group_id: str, instance_id: str) -> None:
    """Say for a static member that it is away, as one that was killed could not; do nothing where there is none.

    Its partitions are kept for whoever joins with the instance id next, so that nothing moves. Should it be alive after
    all, it is fenced then.

    Raises KafkaException, or OSError when the group's coordinator does not answer.
    """
    client = admin(bootstrap_servers)  # has to be there as long as the answer is not
    group = client.describe_consumer_groups([group_id], request_timeout=TIMEOUT_S)[group_id].result()
    for member in group.members:
        if member.group_instance_id == instance_id:
            _go_away((group.coordinator.host, group.coordinator.port), group_id, member.member_id, instance_id)


def _go_away(coordinator: Address, group_id: str, member_id: str, instance_id: str) -> None:
    # Only who needs them waits for these imports.
    from kio.schema.consumer_group_heartbeat.v0.request import ConsumerGroupHeartbeatRequest
    from kio.schema.consumer_group_heartbeat.v0.response import ConsumerGroupHeartbeatResponse
    from kio.schema.errors import ErrorCode
    from kio.schema.types import GroupId
    from kio.serial import entity_reader, entity_writer
    from kio.static.primitive import i32

    request = ConsumerGroupHeartbeatRequest(
        group_id=GroupId(group_id),
        member_id=member_id,
        member_epoch=i32(LEAVE_GROUP_STATIC_MEMBER_EPOCH),
        instance_id=instance_id,
        topic_partitions=None,
    )
    body = BytesIO()
    entity_writer(ConsumerGroupHeartbeatRequest)(body, request)
    header = struct.pack(">hhihb", CONSUMER_GROUP_HEARTBEAT, 0, 0, -1, 0)
    content = _exchange(coordinator, header + body.getvalue())
    response, _ = entity_reader(ConsumerGroupHeartbeatResponse)(content, 5)
    if response.error_code is not ErrorCode.none:
        raise KafkaException(KafkaError(response.error_code.value, response.error_message))


def _address(server: str) -> Address:
    """Where a bootstrap server is; librdkafka takes it also with a protocol or without a port."""
    address = server.strip().rpartition("://")[2]
    return host_and_port(address if address.rpartition(":")[2].isdecimal() else f"{address}:{DEFAULT_PORT}")


def _exchange(address: Address, request: bytes) -> bytes:
    """Send a request with its header and give the response with its own. Raises OSError."""
    with socket.create_connection(address, TIMEOUT_S) as connection, connection.makefile("rb") as stream:
        connection.sendall(struct.pack(">i", len(request)) + request)
        size = int.from_bytes(stream.read(4))
        response = stream.read(size)
    if not size or len(response) < size:
        raise ConnectionError(f"the broker at {address[0]}:{address[1]} closed the connection")
    return response
