"""An EndTxn that comes late, with librdkafka on one side and a network that holds it back in between.

librdkafka has no answer to this of its own (it lacks the second part of KIP-890), and Apache Kafka takes the late one
for an end of the next transaction; so this is a promise of the embedded broker alone.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tailrace.testing.broker import BrokerProcess

from .conftest import GIVE_UP_S, Clients
from .holding_proxy import WAIT_S, HoldingProxy

END_TXN = 26
QUICK = {"retry_backoff_ms": 20, "retry_backoff_max_ms": 50, "reconnect_backoff_ms": 10, "reconnect_backoff_max_ms": 50}


@pytest.fixture
def proxy() -> Iterator[HoldingProxy]:
    with (
        BrokerProcess(options=["--advertised-host", HoldingProxy.host]) as broker,
        HoldingProxy(broker.port) as proxy,
    ):
        yield proxy


@pytest.mark.parametrize("late", ["commit", "abort"])
def test_a_late_end_does_not_end_the_next_transaction(
    proxy: HoldingProxy, unique: Callable[[str], str], late: str
) -> None:
    with ExitStack() as stack:
        clients = Clients(proxy, unique, stack)
        topic = clients.topic()
        producer = clients.transactional("txn", **QUICK)

        def end(how: str) -> None:
            (producer.commit_transaction if how == "commit" else producer.abort_transaction)(GIVE_UP_S)

        producer.begin_transaction()
        producer.produce(topic, b"first")
        producer.flush(GIVE_UP_S)
        proxy.hold_next(END_TXN)
        end(late)
        assert proxy.held.wait(WAIT_S), "the end was sent, lost its connection, and was sent again"
        producer.begin_transaction()
        producer.produce(topic, b"second, before the late end")
        producer.flush(GIVE_UP_S)
        proxy.deliver()
        producer.produce(topic, b"second, after it")
        end("abort" if late == "commit" else "commit")
        second = [b"second, before the late end", b"second, after it"]
        assert clients.values(topic) == ([b"first"] if late == "commit" else second)
