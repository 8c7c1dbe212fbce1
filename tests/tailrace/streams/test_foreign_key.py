"""Joins of tables by a foreign key: what either side's changes make of the result, whatever is on its way meanwhile."""

import time
from collections import Counter
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.client import read_to_end
from tailrace.registry.errors import SerdeError
from tailrace.streams import Topology, TopologyError
from tailrace.streams.plan import Plan
from tailrace.streams.state.foreign_key import (
    Answer,
    AnswerSerde,
    Row,
    RowSerde,
    Subscription,
    SubscriptionSerde,
    place_of,
    subscribers,
)
from tailrace.streams.state.memory_backend import MemoryBackend
from tailrace.streams.state.store import Store
from tailrace.streams.types import PLAIN, STRING
from tailrace.testing.topology_driver import TopologyDriver
from tests.tailrace.streams.application import Application


def customer(order):
    """Orders are a customer's letter and something else; without a customer they begin with a dash."""
    return None if order[0] == "-" else order[0]


def pair(one, other):
    return f"{one}+{other}"


def joining(kind="join", joiner=pair, on=customer):
    topology = Topology("app")
    orders, customers = topology.table("orders", str), topology.table("customers", str)
    joined = getattr(orders, kind)(customers, joiner, on=on, value=str, store="joined")
    joined.to("out")
    return topology, joined


def driver_of(*args, **kwargs):
    return TopologyDriver(joining(*args, **kwargs)[0])


CHANGES = [
    ("orders", "1", "a0"),
    ("customers", "a", "ann"),
    ("orders", "1", "a1"),
    ("customers", "a", "anna"),
    ("orders", "1", "b2"),
    ("customers", "b", "bob"),
    ("customers", "a", "nobody's"),
    ("orders", "1", "-3"),
    ("orders", "1", "b4"),
    ("customers", "b", None),
    ("customers", "b", "bill"),
    ("orders", "1", None),
    ("customers", "b", "nobody's"),
]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("join", ["a0+ann", "a1+ann", "a1+anna", None, "b2+bob", None, "b4+bob", None, "b4+bill", None]),
        (
            "left_join",
            [
                *["a0+None", "a0+ann", "a1+ann", "a1+anna", "b2+None", "b2+bob"],
                *["-3+None", "b4+bob", "b4+None", "b4+bill", None],
            ],
        ),
    ],
)
def test_the_result_changes_with_either_side(kind, expected):
    driver = driver_of(kind)
    for change in CHANGES:
        driver.pipe(*change)
        driver.restart(lose_state=True)
    assert [value for _, value in driver.read("out")] == expected


def test_a_change_of_a_row_reaches_all_that_have_its_key():
    driver = driver_of()
    for number in range(50):
        driver.pipe("orders", f"{number:02}", f"{'ab'[number % 2]}{number}")
    driver.pipe("customers", "a", "ann")
    assert driver.read("out") == [(f"{number:02}", f"a{number}+ann") for number in range(0, 50, 2)]
    driver.pipe("orders", "00", "-")
    driver.read("out")
    driver.pipe("customers", "a", None)
    assert driver.read("out") == [(f"{number:02}", None) for number in range(2, 50, 2)]


def test_the_foreign_key_may_depend_on_the_key_and_the_joiner_want_it():
    driver = driver_of(joiner=lambda key, one, other: f"{key}:{one}+{other}", on=lambda key, value: key[0] + value[0])
    driver.pipe("customers", "xa", "ann")
    driver.pipe("orders", "x1", "a")
    assert driver.read("out") == [("x1", "x1:a+ann")]


def test_an_answer_about_a_foreign_key_that_has_changed_meanwhile_is_dropped():
    driver = driver_of()
    driver.pipe("customers", "a", "ann")
    driver.pipe("customers", "b", "bob")
    for order in ("a0", "b1", "a2", "b3"):
        driver.pipe("orders", "1", order, commit=False)
    driver.commit()
    responses = [r.value() for r in driver.read_raw("app-joined-response")]
    assert [AnswerSerde(STRING).decode(data).value for data in responses] == ["ann", "bob", "ann", "bob"]
    assert {value for _, value in driver.read("out")} == {"b3+bob"}
    driver.pipe("orders", "1", "a4", commit=False)
    driver.pipe("orders", "1", None, commit=False)
    driver.commit()
    assert driver.read("out") == [("1", None)]


def test_the_result_stays_until_the_answer_about_another_foreign_key_comes():
    driver = driver_of("left_join")
    driver.pipe("customers", "a", "ann")
    driver.pipe("customers", "b", "bob")
    driver.pipe("orders", "1", "a0")
    driver.pipe("orders", "1", "b1")
    assert driver.read("out") == [("1", "a0+ann"), ("1", "b1+bob")]


def test_an_order_is_never_joined_with_the_customer_of_another():
    driver = driver_of()
    driver.pipe("customers", "a", "ann")
    driver.pipe("orders", "1", "a0")
    driver.pipe("orders", "1", "b1", commit=False)
    driver.pipe("orders", "1", "b2")
    assert driver.read("out") == [("1", "a0+ann"), ("1", None)]


def test_what_was_not_committed_leaves_nothing():
    driver = driver_of()
    driver.pipe("customers", "a", "ann")
    driver.pipe("orders", "1", "a0", commit=False)
    driver.rollback()
    driver.pipe("customers", "a", "anna")
    assert driver.read("out") == []
    assert driver.contents().keys() == {"customers"}


def test_state_is_let_go_with_the_rows():
    driver = driver_of()
    for change in [("customers", "a", "ann"), ("orders", "1", "a0"), ("orders", "1", None)]:
        driver.pipe(*change)
    assert driver.contents().keys() == {"customers"}


def test_the_result_is_a_table_like_others():
    topology, joined = joining()
    joined.join(topology.table("notes", str), pair).to("noted", str)
    joined.filter(lambda value: "bob" in value).to("bobs")
    joined.group_by(lambda value: value[-3:]).count().to("counts")
    topology.stream("visits", str).left_join(joined, pair, value=str).to("visited")
    driver = TopologyDriver(topology)
    asked = driver.queries().of(joined)
    for change in [
        *[("customers", "a", "ann"), ("customers", "b", "bob"), ("notes", "1", "x"), ("orders", "1", "a0")],
        *[("visits", "1", "v0"), ("orders", "2", "a1"), ("orders", "1", "b2"), ("visits", "1", "v1")],
        *[("orders", "3", "c3"), ("visits", "3", "v2")],
    ]:
        driver.pipe(*change)
    assert driver.read("noted") == [("1", "a0+ann+x"), ("1", "b2+bob+x")]
    assert driver.read("bobs") == [("1", "b2+bob")]
    assert driver.read("counts") == [("ann", 1), ("ann", 2), ("ann", 1), ("bob", 1)]
    assert driver.read("visited") == [("1", "v0+a0+ann"), ("1", "v1+b2+bob"), ("3", "v2+None")]
    assert list(asked.all()) == [("1", "b2+bob"), ("2", "a1+ann")]
    assert list(asked.range("2", "9")) == [("2", "a1+ann")]
    assert (asked.get("1"), asked.get("3"), asked.get("4")) == ("b2+bob", None, None)
    with pytest.raises(TypeError, match="has no windows"):
        list(asked.fetch("1"))


def test_tables_that_were_made_of_others_can_be_joined():
    topology = Topology("app")
    orders = topology.stream("in", str).group_by(lambda v: v[1]).reduce(lambda _, v: v).map_values(str.lower, value=str)
    sizes = topology.stream("names", str).group_by_key().count()
    orders.join(sizes.filter(lambda n: n > 1), lambda order, n: f"{order}{n}", on=customer, value=str).to("out")
    driver = TopologyDriver(topology)
    for topic, key, value in [("in", "", "A1"), ("names", "a", ""), ("names", "a", ""), ("in", "", "B1")]:
        driver.pipe(topic, key, value)
    assert driver.read("out") == [("1", "a12"), ("1", None)]


def test_a_table_can_be_joined_with_itself():
    topology = Topology("app")
    staff = topology.table("staff", str)
    staff.left_join(staff, lambda key, one, boss: f"{key} under {boss}", on=customer, value=str).to("out")
    driver = TopologyDriver(topology)
    for key, value in [("a", "-ceo"), ("b", "a"), ("c", "b"), ("a", "-king"), ("b", None)]:
        driver.pipe("staff", key, value)
    under = ["a under None", "b under -ceo", "c under a", "a under None", "b under -king", None, "c under None"]
    assert [value for _, value in driver.read("out")] == under


def test_the_tables_may_have_different_partition_counts():
    topology, _ = joining()
    plan = Plan(topology)
    existing = {"orders": 2, "customers": 3, "out": 1}
    topics = {topic.name: topic.partitions for topic in plan.internal_topics(existing)}
    assert topics == {
        "app-joined-subscription": 3,
        "app-joined-response": 2,
        "app-joined-changelog": 2,
        "app-joined-subscriptions-changelog": 3,
    }
    assert topology.topics() == {"orders", "customers", "out"}


def test_it_can_be_drawn():
    topology, _ = joining()
    assert "-> subscribe to customers on customer\n        -> to app-joined-subscription" in topology.describe()
    assert "-> answer with changes of customers\n        -> to app-joined-response" in topology.describe()
    texts = {text.text for text in ElementTree.fromstring(topology.svg()).iter("{http://www.w3.org/2000/svg}text")}
    assert {"app-joined-subscription", "app-joined-response", "join of orders and customers"} <= texts
    assert '(["app-joined-response"])' in topology.mermaid()


def test_what_cannot_be_joined_is_refused():
    topology = Topology("app")
    orders, customers = topology.table("orders", str), topology.table("customers", str)
    with pytest.raises(
        TopologyError, match=r"joined: how to write the values of map-values-1 is not known; say value="
    ):
        orders.join(customers.map_values(str.lower), pair, on=customer, store="joined")
    with pytest.raises(TopologyError, match="takes 3 arguments"):
        orders.join(customers, pair, on=lambda a, b, c: a)
    with pytest.raises(TopologyError, match="joined: a join has state of its own only with `on`"):
        orders.join(customers, pair, store="joined")


@given(st.binary(), st.integers(0, 1 << 30), st.booleans())
def test_subscriptions_are_written_and_read(key, partition, is_wanted):
    subscription = Subscription(key, partition, is_wanted)
    assert SubscriptionSerde().decode(SubscriptionSerde().encode(subscription)) == subscription


@given(st.binary(), st.one_of(st.none(), st.text()), st.one_of(st.none(), st.text()), st.booleans())
def test_answers_and_rows_are_written_and_read(foreign_key, left, right, is_answered):
    serde = AnswerSerde(STRING)
    assert serde.decode(serde.encode(Answer(foreign_key, right))) == Answer(foreign_key, right)
    rows, row = RowSerde(STRING, STRING), Row(foreign_key, left, right, is_answered)
    assert rows.decode(rows.encode(row)) == row


@given(st.binary(max_size=12), st.sampled_from([SubscriptionSerde(), AnswerSerde(STRING), RowSerde(STRING, STRING)]))
def test_what_is_nothing_of_a_join_is_a_serde_error(data, serde):
    try:
        serde.decode(data)
    except SerdeError:
        return


@given(st.lists(st.tuples(st.binary(max_size=2), st.binary(max_size=2))), st.binary(max_size=2))
def test_subscribers_of_a_key_are_found_whatever_bytes_keys_are_made_of(subscribed, wanted):
    store = Store("s", MemoryBackend(), PLAIN[int].encode, PLAIN[int].decode)
    for foreign_key, key in subscribed:
        store.put(place_of(foreign_key, key), 1)
    assert list(subscribers(store, wanted)) == sorted({(key, 1) for fk, key in subscribed if fk == wanted})


steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("orders"),
            st.sampled_from(["1", "2", "11"]),
            st.one_of(st.none(), st.sampled_from(["a0", "a1", "b0", "aa", "-0"])),
            st.sampled_from("nncwrxl"),
        ),
        st.tuples(
            st.just("customers"),
            st.sampled_from(["a", "b"]),
            st.one_of(st.none(), st.sampled_from(["x", "y", "z"])),
            st.sampled_from("nncwrxl"),
        ),
    ),
    max_size=30,
)


def expected_rows(tables, kind):
    rows = {}
    for key, order in tables["orders"].items():
        other = None if order is None else tables["customers"].get(customer(order))
        if order is not None and (other is not None or kind == "left_join"):
            rows[key] = pair(order, other)
    return rows


@settings(max_examples=300)
@given(steps, st.sampled_from(["join", "left_join"]))
def test_the_result_is_that_of_a_join_of_the_tables_whatever_happens_to_the_tasks(steps, kind):
    """A record is (n)ot committed before the next one, or (c)ommitted, perhaps (w)ritten; or all that is not committed
    is (r)olled back, or lost in a crash (x), perhaps with the disk (l), and processed again.
    """
    topology, joined = joining(kind)
    joined.group_by(lambda value: value).count(store="n").to("counts")
    topology.stream("visits", str).join(joined, lambda _, value: value, value=str).to("seen")
    driver = TopologyDriver(topology)
    tables, pending = {"orders": {}, "customers": {}}, []
    for topic, key, changed, then in [*steps, ("customers", "c", None, "c")]:
        # The name of a customer begins with the key.
        value = changed if topic == "orders" or changed is None else key + changed
        pending.append((topic, key, value))
        driver.pipe(topic, key, value, commit=False)
        if then in "rxl":
            for done in reversed(pending):
                driver.log[done[0]].pop()
            driver.rollback() if then == "r" else driver.restart(lose_state=then == "l")
            for again in pending:
                driver.pipe(*again, commit=False)
        if then == "n":
            continue
        driver.commit()
        if then == "w":
            driver.write()
        for side, row, new in pending:
            tables[side][row] = new
        pending = []
        rows = expected_rows(tables, kind)
        assert dict(driver.queries().of(joined).all()) == rows
    written = driver.read("out")
    assert {key: value for key, value in dict(written).items() if value is not None} == rows
    assert all(value is None or value.endswith("+None") or value[0] == value[3] for _, value in written)
    counts = dict(driver.read("counts"))
    assert {value: count for value, count in counts.items() if count} == Counter(rows.values())
    for key in ("1", "2", "11"):
        driver.pipe("visits", key, "")
    assert dict(driver.read("seen")) == rows


class Ordering(Application):
    """Orders of customers, in topics with different numbers of partitions."""

    def __init__(self, bootstrap_servers, name, folder):
        super().__init__(bootstrap_servers, name, folder, ordering, {"customers": 2})

    def send_records(self, topic, records):
        for key, value in records:
            self.producer.produce(f"{self.prefix}{topic}", None if value is None else value.encode(), key=key)
        assert self.producer.flush(60) == 0

    def result(self):
        records = read_to_end(self.bootstrap_servers, [f"{self.prefix}out"])
        latest = {r.key().decode(): r.value() and r.value().decode() for r in records}
        return {key: value for key, value in latest.items() if value is not None}

    def wait_for_result(self, expected):
        """Wait until the topic of results says so; each look reads all of it."""
        deadline = time.monotonic() + 60
        while (result := self.result()) != expected:
            assert time.monotonic() < deadline, f"{result} is not {expected}"


def ordering(name, prefix):
    topology = Topology(name)
    orders, customers = topology.table(f"{prefix}orders", str), topology.table(f"{prefix}customers", str)
    joined = orders.join(customers, pair, on=lambda order: order.split()[0], value=str, store="joined")
    joined.to(f"{prefix}out")
    return topology


def test_instances_come_go_and_lose_their_disk_while_answers_are_on_their_way(engine, unique, tmp_path):
    application = Ordering(engine.bootstrap_servers, unique("ordering"), tmp_path)
    orders = {f"o{n}": f"c{n % 7} {n}" for n in range(200)}
    customers = {f"c{n}": f"name{n}" for n in range(7)}

    def expected():
        return {key: pair(order, customers[order.split()[0]]) for key, order in orders.items()}

    application.send_records("orders", orders.items())
    with application.start("1"):
        application.send_records("customers", customers.items())
    changed = {key: f"c{n % 5} {n}" for n, key in enumerate(orders)}
    orders |= changed
    application.send_records("orders", changed.items())
    with application.start("2"), application.start("3"):
        application.wait_for_result(expected())
        customers |= {"c0": "renamed", "c3": "too"}
        application.send_records("customers", [("c0", "renamed"), ("c3", "too")])
    application.send_records("orders", [(key, None) for key in list(orders)[:50]])
    orders = dict(list(orders.items())[50:])
    with application.start("1", folder="a new disk"):
        application.wait_for_result(expected())
