"""The vocabulary, record by record, with the driver that runs the tasks of production."""

import pytest
from msgspec import Struct

from tailrace.streams import OnError, ProcessingFailed, Topology, TopologyError
from tailrace.streams.plan import Plan
from tailrace.testing.topology_driver import ManualClock, TopologyDriver
from tests.tailrace.streams.sums import PackSerde


class Payment(Struct, frozen=True):
    amount: int
    currency: str = "EUR"


class Limit(Struct, frozen=True):
    amount: int


class Paid(Struct, frozen=True):
    amount: int
    limit: int | None
    age_ms: int


class TooMuch(Struct, frozen=True):
    amount: int


PAYMENT, LIMIT, PAID, TOO_MUCH = (PackSerde(kind) for kind in (Payment, Limit, Paid, TooMuch))


def test_filter_and_map_values_keep_keys_and_order():
    topology = Topology("app")
    topology.stream("in", PAYMENT).filter(lambda p: p.amount > 1).map_values(lambda p: Limit(p.amount)).to("out", LIMIT)
    driver = TopologyDriver(topology)
    for key, amount in [("b", 2), ("a", 1), ("a", 3), ("b", 4)]:
        driver.pipe("in", key, Payment(amount))
    assert driver.read("out") == [("b", Limit(2)), ("a", Limit(3)), ("b", Limit(4))]


def test_a_stream_may_be_used_in_several_places():
    topology = Topology("app")
    payments = topology.stream("in", PAYMENT)
    payments.filter(lambda p: p.amount >= 100).to("large", PAYMENT)
    payments.filter(lambda p: p.amount < 100).to("small", PAYMENT)
    driver = TopologyDriver(topology)
    driver.pipe("in", "a", Payment(99))
    driver.pipe("in", "a", Payment(100))
    assert driver.read("large") == [("a", Payment(100))]
    assert driver.read("small") == [("a", Payment(99))]


def test_merge_passes_on_the_records_of_both():
    topology = Topology("app")
    merged = topology.stream("card", PAYMENT).merge(topology.stream("bank", PAYMENT))
    merged.to("all", PAYMENT)
    driver = TopologyDriver(topology)
    driver.pipe("card", "a", Payment(1))
    driver.pipe("bank", "a", Payment(2))
    driver.pipe("card", "a", Payment(3))
    assert [payment.amount for _, payment in driver.read("all")] == [1, 2, 3]


def test_values_are_routed_by_their_type_and_an_unknown_type_stops_the_task():
    topology = Topology("app")
    sorted_out = topology.stream("in", PAYMENT).map_values(lambda p: TooMuch(p.amount) if p.amount > 9 else p)
    sorted_out.route({Payment: ("fine", PAYMENT), TooMuch: ("too-much", TOO_MUCH)})
    driver = TopologyDriver(topology)
    driver.pipe("in", "a", Payment(9))
    driver.pipe("in", "a", Payment(10))
    assert driver.read("fine") == [("a", Payment(9))]
    assert driver.read("too-much") == [("a", TooMuch(10))]

    mistaken = Topology("mistaken")
    mistaken.stream("in", PAYMENT).route({TooMuch: ("too-much", TOO_MUCH)})
    with pytest.raises(ProcessingFailed, match=r"0 of in-0 .*no route for a Payment; .* TooMuch"):
        TopologyDriver(mistaken).pipe("in", "a", Payment(1))


def limited(make_table):
    """Payments against a limit from a table; what is paid says which limit it saw, and how old that was."""
    topology = Topology("limited", on_unreadable=OnError.DEAD_LETTER)
    limits = make_table(topology)("limits", LIMIT)

    def decide(key, state, payment, record, limits):
        entry = limits.get(key)
        if entry is not None and payment.amount > entry.value.amount:
            return (TooMuch(payment.amount),)
        age_ms = record.timestamp()[1] - entry.timestamp if entry else 0
        return (Paid(payment.amount, entry.value.amount if entry else None, age_ms),)

    decisions = topology.stream("in", PAYMENT).decide(
        "paid", decide, lambda state, event: state, initial=Limit(0), tables=[limits]
    )
    decisions.route({Paid: ("paid", PAID), TooMuch: ("too-much", TOO_MUCH)})
    return topology


@pytest.mark.parametrize("kind", ["table", "global_table"])
def test_a_table_has_the_latest_value_of_a_key_until_it_is_deleted(kind):
    clock = ManualClock()
    driver = TopologyDriver(limited(lambda topology: getattr(topology, kind)), clock=clock)
    driver.pipe("in", "a", Payment(5))
    driver.pipe("limits", "a", Limit(1))
    driver.pipe("limits", "a", Limit(10))
    driver.pipe("limits", "b", Limit(1))
    clock.advance(250)
    driver.pipe("in", "a", Payment(10))
    driver.pipe("in", "a", Payment(11))
    driver.pipe("limits", "a", None)
    driver.pipe("in", "a", Payment(12))
    paid = [Paid(5, None, 0), Paid(10, 10, 250), Paid(12, None, 0)]
    assert [event for _, event in driver.read("paid")] == paid
    assert driver.read("too-much") == [("a", TooMuch(11))]


def test_a_table_is_rebuilt_from_its_topic():
    driver = TopologyDriver(limited(lambda topology: topology.table), clock=ManualClock())
    driver.pipe("limits", "a", Limit(1))
    driver.pipe("limits", "a", Limit(3))
    assert driver.restart(lose_state=True) == 2
    driver.pipe("in", "a", Payment(2))
    assert driver.read("paid") == [("a", Paid(2, 3, 0))]


def test_unreadable_records_of_a_table_become_dead_letters_and_leave_the_old_value():
    driver = TopologyDriver(limited(lambda topology: topology.table), clock=ManualClock())
    driver.pipe("limits", "a", Limit(3))
    driver.pipe("limits", "a", b"\xc1 unreadable")
    driver.pipe("in", "a", Payment(2))
    assert driver.read("paid") == [("a", Paid(2, 3, 0))]
    assert [record.value() for record in driver.read_raw("dead-letters")] == [b"\xc1 unreadable"]


@pytest.mark.parametrize("first", ["stream", "table", "global_table"])
@pytest.mark.parametrize("second", ["stream", "table", "global_table"])
def test_a_topic_is_read_once(first, second):
    topology = Topology("app")
    getattr(topology, first)("in", PAYMENT)
    with pytest.raises(TopologyError, match="app reads topic in twice"):
        getattr(topology, second)("in", PAYMENT)


def test_tables_have_as_many_partitions_as_streams_and_global_tables_any_number():
    with pytest.raises(TopologyError, match="in has 6 partitions and limits has 3"):
        Plan(limited(lambda topology: topology.table)).partitions({"in": 6, "limits": 3, "paid": 6, "too-much": 6})
    counts = {"in": 6, "limits": 1, "paid": 6, "too-much": 6}
    assert Plan(limited(lambda topology: topology.global_table)).partitions(counts) == counts


def test_a_topology_without_a_stream_cannot_run():
    topology = Topology("idle")
    topology.table("limits", LIMIT)
    with pytest.raises(TopologyError, match="idle reads no stream"):
        Plan(topology)


def test_it_can_be_described():
    topology = limited(lambda topology: topology.table)
    described = topology.describe().splitlines()
    assert described[:3] == ["limited", "  sub-topology 0", "    table limits"]
    assert described[-1].strip() == "-> to paid (Paid), too-much (TooMuch)"
    assert topology.topics() == {"in", "limits", "paid", "too-much", "dead-letters"}
