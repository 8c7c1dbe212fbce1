"""A retried EndTxn must not end the transaction that follows; see tailrace.broker.transactions.coordinator."""

import io
import socket
import struct
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Protocol

from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]
from kio.schema.add_partitions_to_txn.v3.request import AddPartitionsToTxnRequest, AddPartitionsToTxnTopic
from kio.schema.end_txn.v3.request import EndTxnRequest
from kio.schema.init_producer_id.v4.request import InitProducerIdRequest
from kio.serial import entity_reader, entity_writer
from kio.static.primitive import i32Timedelta

from tailrace.wire.messages import message_class

KEYS = {"InitProducerIdRequest": 22, "AddPartitionsToTxnRequest": 24, "EndTxnRequest": 26}


class Engine(Protocol):
    @property
    def bootstrap_servers(self) -> str: ...


class Client:
    """One connection that speaks the protocol's transactional requests."""

    def __init__(self, broker: Engine) -> None:
        host, port = broker.bootstrap_servers.split(":")
        self._socket = socket.create_connection((host, int(port)), timeout=60)

    def ask(self, request: Any) -> Any:
        """The response; None when the broker closed the connection."""
        body = io.BytesIO()
        entity_writer(type(request))(body, request)
        header = struct.pack(">hhihx", KEYS[type(request).__name__], request.__version__, 1, -1)
        content = header + body.getvalue()
        self._socket.sendall(struct.pack(">i", len(content)) + content)
        stream = self._socket.makefile("rb")
        try:
            length = stream.read(4)
        except ConnectionResetError:
            return None
        if not length:
            return None
        response = stream.read(struct.unpack(">i", length)[0])
        api = type(request).__module__.split(".")[2]
        return entity_reader(message_class(api, request.__version__, "response"))(response, 5)[0]


def test_an_end_that_was_sent_before_the_connection_broke_does_nothing(
    broker: Engine, unique: Callable[[str], str]
) -> None:
    topic, transactional_id = unique("topic"), unique("txn")
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result()
    values: dict[str, Any] = {"transactional_id": transactional_id}

    old = Client(broker)
    timeout = i32Timedelta.parse(timedelta(seconds=60))
    identity = old.ask(InitProducerIdRequest(**values, transaction_timeout=timeout))
    producer: dict[str, Any] = {"producer_id": identity.producer_id, "producer_epoch": identity.producer_epoch}
    added = AddPartitionsToTxnRequest(
        v3_and_below_transactional_id=values["transactional_id"],
        v3_and_below_producer_id=identity.producer_id,
        v3_and_below_producer_epoch=identity.producer_epoch,
        v3_and_below_topics=(AddPartitionsToTxnTopic(name=topic, partitions=(0,)),),  # type: ignore[arg-type]
    )
    end = EndTxnRequest(**values, **producer, committed=True)
    assert old.ask(added) is not None

    # The client believes the connection lost: it sends its EndTxn again on a new one, and begins the next transaction.
    new = Client(broker)
    assert new.ask(end).error_code == 0
    assert new.ask(added) is not None
    assert old.ask(end) is None, "the late copy closes the old connection"
    abort = EndTxnRequest(**values, **producer, committed=False)
    assert new.ask(abort).error_code == 0, "the next transaction was still open"
