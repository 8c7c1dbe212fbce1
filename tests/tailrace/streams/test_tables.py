"""Tables on real brokers: whoever wrote to a table and then asks finds it there, even while instances come and go."""

import pytest

from tailrace.streams import Topology
from tests.tailrace.streams.application import Application
from tests.tailrace.streams.sums import Add, Added, PackSerde, Refused


def with_accounts(name, prefix):
    """Additions for accounts that have to be in a table."""
    topology = Topology(name)
    accounts = topology.table(f"{prefix}accounts", PackSerde(Add))

    def decide(key, state, request, record, accounts):
        if accounts.get(key) is None:
            return (Refused(request.id, request.amount, "unknown account"),)
        return (Added(request.id, request.amount, state.total + request.amount, state.number + 1),)

    topology.stream(f"{prefix}additions", PackSerde(Add)).decide(
        "sums", decide, lambda state, event: event, initial=Added("", 0, 0, 0), tables=[accounts]
    ).route({Added: (f"{prefix}added", PackSerde(Added)), Refused: (f"{prefix}refused", PackSerde(Refused))})
    return topology


@pytest.fixture
def application(engine, unique, tmp_path):
    return Application(engine.bootstrap_servers, unique("accounts"), tmp_path, with_accounts)


def open_and_use(application, numbers):
    """Open an account, wait until that is acknowledged, and only then ask for something on it."""
    for number in numbers:
        key = f"account-{number}"
        application.producer.produce(f"{application.prefix}accounts", PackSerde(Add).encode(Add("", 0)), key=key)
        assert application.producer.flush(60) == 0
        application.send([(key, Add(str(number), 1))])


def test_what_was_written_to_a_table_before_a_request_is_seen(application):
    with application.start("1"):
        open_and_use(application, range(20))
        with application.start("2"):
            open_and_use(application, range(20, 40))
            with application.start("3"):
                open_and_use(application, range(40, 60))
        open_and_use(application, range(60, 80))
        application.wait_for_added(80)
    assert {event.id for _, event in application.added()} == {str(number) for number in range(80)}
