"""The vocabulary of streams, record by record, with the driver that runs the tasks of production."""

import pytest
from msgspec import Struct

from tailrace.registry.errors import SchemaNotFound
from tailrace.registry.serde import JsonSerde
from tailrace.streams import Topology, TopologyError
from tailrace.testing.registry import LocalRegistry
from tailrace.testing.topology_driver import TopologyDriver


class Payment(Struct, frozen=True):
    amount: int
    card: str = "visa"


PAYMENT = JsonSerde(Payment)


def outcome(build, *records, value=int, key=str):
    """What a topology of one step writes to the topic "out" for records of the topic "in"."""
    topology = Topology("app")
    build(topology.stream("in", value, key=key))
    driver = TopologyDriver(topology)
    for record in records:
        driver.pipe("in", *record)
    return driver.read("out")


NUMBERS = [("a", 1), ("b", 2), ("a", 3)]


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda s: s.filter(lambda v: v > 1).to("out"), [("b", 2), ("a", 3)]),
        (lambda s: s.filter(lambda k, v: k == "a" and v > 1).to("out"), [("a", 3)]),
        (lambda s: s.filter_not(lambda v: v > 1).to("out"), [("a", 1)]),
        (lambda s: s.map_values(lambda v: -v).to("out", int), [("a", -1), ("b", -2), ("a", -3)]),
        (lambda s: s.map_values(lambda k, v: k * v).to("out", str), [("a", "a"), ("b", "bb"), ("a", "aaa")]),
        (lambda s: s.map(lambda k, v: (v, k)).to("out", str, key=int), [(1, "a"), (2, "b"), (3, "a")]),
        (
            lambda s: s.flat_map_values(range).to("out", int),
            [("a", 0), *[("b", n) for n in (0, 1)], *[("a", n) for n in (0, 1, 2)]],
        ),
        (lambda s: s.flat_map(lambda k, v: [(k + k, v)] * (v - 1)).to("out", int), [("bb", 2), ("aa", 3), ("aa", 3)]),
        (lambda s: s.select_key(lambda v: v, key=int).to("out"), [(1, 1), (2, 2), (3, 3)]),
        (lambda s: s.select_key(lambda k, v: k.upper()).to("out"), [("A", 1), ("B", 2), ("A", 3)]),
    ],
    ids=[
        *["filter", "filter by key", "filter not", "map values", "map values with key", "map", "flat map values"],
        *["flat map", "select key", "select key of key"],
    ],
)
def test_a_step_gives(build, expected):
    assert outcome(build, *NUMBERS) == expected


def test_a_function_may_be_anything_that_can_be_called():
    class Above:
        def __init__(self, limit):
            self.limit = limit

        def __call__(self, value):
            return value > self.limit

        def of(self, key, value):
            return key, value - self.limit

    assert outcome(lambda s: s.filter(Above(1)).map(Above(1).of).to("out", int), *NUMBERS) == [("b", 1), ("a", 2)]
    assert outcome(lambda s: s.map_values(str).to("out", str), *NUMBERS) == [("a", "1"), ("b", "2"), ("a", "3")]


@pytest.mark.parametrize("function", [lambda: True, lambda a, b, c: True, lambda *, value: True])
def test_a_function_that_no_record_can_be_given_to_is_refused_where_it_is_written(function):
    with pytest.raises(TopologyError, match=r"lambda> takes \d arguments; expected one \(value\) or two"):
        Topology("app").stream("in", str).filter(function)


def test_peek_and_foreach_see_the_records():
    seen = []
    build = lambda s: s.peek(seen.append).to("out") or s.foreach(lambda k, v: seen.append((k, v)))  # noqa: E731
    assert outcome(build, *NUMBERS[:2]) == NUMBERS[:2]
    assert seen == [1, ("a", 1), 2, ("b", 2)]


def test_split_gives_each_record_to_the_first_branch_that_wants_it():
    topology = Topology("app")
    branches = topology.stream("in", int).split(small=lambda v: v < 10, even=lambda v: v % 2 == 0, default="rest")
    for name, branch in branches.items():
        branch.to(name)
    driver = TopologyDriver(topology)
    for number in (2, 11, 12, 9):
        driver.pipe("in", "a", number)
    assert {name: [value for _, value in driver.read(name)] for name in branches} == {
        "small": [2, 9],
        "even": [12],
        "rest": [11],
    }


def test_branches_may_be_merged_and_split_again():
    topology = Topology("app")
    branches = topology.stream("in", int).split(small=lambda v: v < 10)
    doubled = branches["small"].map_values(lambda v: v * 2, value=int)
    merged = doubled.merge(branches["default"])
    merged.split(even=lambda v: v % 2 == 0)["even"].to("even", int)
    merged.to("all", int)
    driver = TopologyDriver(topology)
    for number in (1, 15, 16):
        driver.pipe("in", "a", number)
    assert [value for _, value in driver.read("even")] == [2, 16]
    assert [value for _, value in driver.read("all")] == [2, 15, 16]


def test_a_branch_that_is_called_like_the_default_is_refused():
    with pytest.raises(TopologyError, match="two branches called small"):
        Topology("app").stream("in", int).split(small=lambda v: True, default="small")


def test_merge_keeps_the_records_of_each_stream_in_order():
    topology = Topology("app")
    streams = [topology.stream(name, int) for name in ("one", "two", "three")]
    streams[0].merge(*streams[1:]).filter(lambda v: v > 1).to("out")
    driver = TopologyDriver(topology)
    for name, number in [("one", 2), ("two", 1), ("three", 3), ("two", 4), ("one", 5)]:
        driver.pipe(name, "a", number)
    assert [value for _, value in driver.read("out")] == [2, 3, 4, 5]


def test_a_stream_may_read_several_topics():
    topology = Topology("app")
    topology.stream(["one", "two"], int).map_values(lambda v: v + 1).to("out", int)
    driver = TopologyDriver(topology)
    driver.pipe("one", "a", 1)
    driver.pipe("two", "b", 2)
    assert driver.read("out") == [("a", 2), ("b", 3)]


def test_to_may_choose_the_topic_by_a_function():
    topology = Topology("app")
    topology.stream("in", PAYMENT).to(lambda payment: f"{payment.card}-payments")
    driver = TopologyDriver(topology)
    driver.pipe("in", "a", Payment(1, "visa"))
    driver.pipe("in", "a", Payment(2, "amex"))
    assert PAYMENT.decode(driver.read_raw("amex-payments")[0].value()) == Payment(2, "amex")
    assert len(driver.read_raw("visa-payments")) == 1


def test_headers_go_along_when_asked_for():
    topology = Topology("app")
    stream = topology.stream("in", int)
    stream.to("with", headers=lambda record: [("offset", str(record.offset()).encode())])
    stream.to("without")
    driver = TopologyDriver(topology)
    driver.pipe("in", "a", 1)
    assert driver.read_raw("with")[0].headers() == [("offset", b"0")]
    assert driver.read_raw("without")[0].headers() is None


def test_records_keep_their_time_or_have_the_one_that_is_extracted():
    topology = Topology("app")
    topology.stream("in", int).to("out")
    topology.stream("timed", int, timestamp=lambda record, value: record.timestamp()[1] + value).to("shifted")
    driver = TopologyDriver(topology)
    driver.pipe("in", "a", 5, timestamp=1000)
    driver.pipe("timed", "a", 5, timestamp=1000)
    assert driver.read_raw("out")[0].timestamp()[1] == 1000
    assert driver.read_raw("shifted")[0].timestamp()[1] == 1005


def test_records_without_a_value_are_passed_on_by_a_nullable_stream_only():
    topology = Topology("app")
    topology.stream("in", int, nullable=True).map_values(lambda v: 0 if v is None else v).to("numbers", int)
    topology.stream("raw", int, nullable=True).filter(lambda v: v is None or v > 1).to("deletions")
    driver = TopologyDriver(topology)
    driver.pipe("in", "a", None)
    driver.pipe("raw", "a", None)
    assert driver.read("numbers") == [("a", 0)]
    assert driver.read("deletions") == [("a", None)]


@pytest.mark.parametrize(("kind", "value"), [(str, "ä"), (bytes, b"\xff"), (dict, {"a": [1]}), (int, -5), (float, 0.5)])
def test_plain_types_name_their_serdes(kind, value):
    shout = outcome(lambda s: s.filter(lambda v: v == value).to("out"), ("k", value), value=kind)
    assert shout == [("k", value)]
    assert outcome(lambda s: s.select_key(lambda v: value, key=kind).to("out"), ("k", 1))[0][1] == 1


def test_numbers_are_written_as_kafkas_own_serializers_do():
    topology = Topology("app")
    topology.stream("in", bytes).map_values(lambda v: len(v)).to("long", int)
    driver = TopologyDriver(topology)
    driver.pipe("in", "a", b"12345")
    assert driver.read_raw("long")[0].value() == b"\0\0\0\0\0\0\0\5"


def test_through_goes_on_with_what_the_topic_holds():
    topology = Topology("app")
    topology.stream("in", int).map_values(lambda v: v + 1, value=int).through("between").to("out")
    driver = TopologyDriver(topology)
    driver.pipe("in", "a", 1)
    assert driver.read("between") == driver.read("out") == [("a", 2)]


def test_what_is_not_known_to_be_written_is_asked_for():
    with pytest.raises(TopologyError, match="out: how to write the values of map-values-1 is not known"):
        Topology("app").stream("in", int).map_values(str).to("out")


def test_a_class_needs_a_registry_or_a_serde():
    with pytest.raises(TopologyError, match="in: Payment stands for the topic's Avro contract, which needs"):
        Topology("app").stream("in", Payment)
    with pytest.raises(TopologyError, match="in: no serde for set"):
        Topology("app").stream("in", set)


SCHEMA = """{"type": "record", "name": "Payment", "fields": [
    {"name": "amount", "type": "long"}, {"name": "card", "type": "string", "default": "visa"}]}"""


def test_a_class_stands_for_the_topics_contract():
    registry = LocalRegistry()
    registry.register("payments-value", SCHEMA)
    topology = Topology("app", registry=registry)
    topology.stream("payments", Payment).filter(lambda p: p.amount > 1).to("large-payments")
    driver = TopologyDriver(topology)
    driver.pipe("payments", "a", Payment(2))
    assert driver.read("large-payments") == [("a", Payment(2))]
    assert registry.latest("large-payments-value").id == registry.latest("payments-value").id


def test_a_class_whose_topic_has_no_contract_is_refused():
    with pytest.raises(SchemaNotFound, match="payments-value"):
        Topology("app", registry=LocalRegistry()).stream("payments", Payment)
