"""Which fields functions look at, and that only these are decoded where nothing else is wanted."""

from operator import attrgetter

import pytest
from msgspec import Struct

from tailrace.registry.errors import SerdeError
from tailrace.registry.serde import AvroSerde
from tailrace.streams import OnError, Topology
from tailrace.streams.code.fields import fields_of
from tailrace.streams.plan import Plan
from tailrace.testing.registry import LocalRegistry
from tailrace.testing.topology_driver import TopologyDriver

LIMIT = 5


class Payment(Struct, frozen=True):
    account: str
    note: str
    amount: int

    @property
    def is_noted(self):
        return bool(self.note)


SCHEMA = """{"type": "record", "name": "Payment", "fields": [{"name": "account", "type": "string"},
{"name": "note", "type": "string"}, {"name": "amount", "type": "long"}]}"""


def named(payment):
    total = payment.amount
    return total > LIMIT and payment.account != "a"


def assigning(payment):
    payment = payment.account
    return payment.upper()


def seeing_all(payment):
    return locals()["payment"]


class Callable:
    def __call__(self, payment):
        return payment.amount


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda p: p.amount > 8, {"amount"}),
        (lambda p: p.amount > 8 and p.account == "a", {"amount", "account"}),
        (lambda p: p.account.upper(), {"account"}),
        (lambda p: p.account.upper.__name__, {"account"}),
        (lambda p: 1, set()),
        (named, {"amount", "account"}),
        (lambda p: p, None),
        (lambda p: (p.amount, p), None),
        (lambda p: p == 1, None),
        (lambda p: p.get("amount"), None),
        (lambda p: getattr(p, "amount"), None),  # noqa: B009
        (lambda p: [p.amount for _ in range(2)], None),
        (lambda p: (lambda: p.amount)(), None),
        (lambda p: p["amount"], None),
        (assigning, None),
        (seeing_all, None),
        (attrgetter("amount"), None),
        (Callable(), None),
        (len, None),
        (lambda *p: p[0].amount, None),
    ],
)
def test_the_fields_that_a_function_looks_at(function, expected):
    found = fields_of(function, 0)
    assert found == expected


def test_a_second_argument_is_told_from_the_first():
    assert fields_of(lambda key, p: key.upper() and p.amount, 1) == {"amount"}
    assert fields_of(lambda key, p: (key.amount, p), 0) == {"amount"}


@pytest.fixture
def serde():
    registry = LocalRegistry()
    return AvroSerde(registry, "payments-value", SCHEMA, Payment)


def damaged(serde, payment):
    """A payment whose note is no text, which is noticed by whoever decodes that."""
    data = serde.encode(payment)
    return data.replace(payment.note.encode(), b"\xff" * len(payment.note))


def test_a_decoder_of_fields_gives_these_and_passes_over_others(serde):
    payment = Payment("alice", "x" * 1000, 7)
    data = damaged(serde, payment)
    assert serde.decoder(["amount"])(data).amount == 7
    assert serde.decoder(["account"])(data).account == "alice"
    for fields in (["note"], ["is_noted"]):
        with pytest.raises(SerdeError):
            serde.decoder(fields)(data)
    for broken in (data[:-1], data[:20], data + b"\0", b"\0\0\0\0\7", b"x"):
        with pytest.raises(SerdeError):
            serde.decoder(["amount"])(broken)


def test_a_class_that_checks_itself_is_decoded_as_a_whole():
    class Checked(Struct):
        account: str
        note: str
        amount: int

        def __post_init__(self):
            assert self.note is not None

    serde = AvroSerde(LocalRegistry(), "payments-value", SCHEMA, Checked)
    data = serde.encode(Checked("alice", "note", 1))
    assert serde.decoder(["amount"])(data).note == "note"


def pass_on(serde, *steps, output=None):
    topology = Topology("app")
    stream = topology.stream("payments", serde)
    for step in steps:
        stream = step(stream)
    stream.to("output", output or serde)
    return topology


def test_what_a_filter_does_not_look_at_is_not_decoded(serde):
    topology = pass_on(serde, lambda s: s.filter(lambda p: p.amount > 5).filter(lambda key, p: p.account != key))
    driver = TopologyDriver(topology)
    data = damaged(serde, Payment("alice", "note", 7))
    driver.pipe("payments", "bob", data)
    driver.pipe("payments", "alice", data)
    driver.pipe("payments", "bob", damaged(serde, Payment("alice", "note", 5)))
    assert [record.value() for record in driver.read_raw("output")] == [data]


@pytest.mark.parametrize("joiner", [lambda p, n: f"{n} {p.amount}", lambda key, p, n: f"{n} {p.amount}"])
@pytest.mark.parametrize("joins", ["join", "left_join"])
@pytest.mark.parametrize("is_global", [False, True])
def test_what_a_joiner_does_not_look_at_is_not_decoded(serde, joiner, joins, is_global):
    topology = Topology("app")
    names = topology.global_table("names", str) if is_global else topology.table("names", str)
    payments = topology.stream("payments", serde)
    join = getattr(payments, joins)
    joined = join(names, joiner, on=lambda key, p: key) if is_global else join(names, joiner)
    joined.to("output", str)
    driver = TopologyDriver(topology)
    driver.pipe("names", "bob", "Bob")
    driver.pipe("payments", "bob", damaged(serde, Payment("alice", "note", 7)))
    assert driver.read("output") == [("bob", "Bob 7")]


@pytest.mark.parametrize(
    "step",
    [
        lambda s: s.filter(lambda p: p.amount > 5).filter(lambda p: p.note),
        lambda s: s.filter(lambda p: p.amount > 5).map_values(lambda p: p),
        lambda s: s.filter(lambda p: p.is_noted),
        lambda s: s.peek(print),
    ],
)
def test_what_any_step_may_look_at_is_decoded(serde, step):
    driver = TopologyDriver(pass_on(serde, step))
    with pytest.raises(Exception, match="cannot be read"):
        driver.pipe("payments", "bob", damaged(serde, Payment("alice", "note", 7)))
    driver.pipe("payments", "bob", Payment("alice", "note", 7))
    assert driver.read("output") == [("bob", Payment("alice", "note", 7))]


def test_records_of_another_schema_are_written_as_the_sink_wants_them(serde):
    wider = SCHEMA.replace('"long"}', '"long"}, {"name": "reason", "type": "string", "default": ""}')
    registry = serde._client

    class Wider(Struct, frozen=True):
        account: str
        note: str
        amount: int
        reason: str = ""

    output = AvroSerde(registry, "output-value", wider, Wider)
    topology = Topology("app")
    payments = topology.stream("payments", AvroSerde(registry, "payments-value", wider, Wider))
    payments.filter(lambda p: p.amount > 5).to("output", output)
    driver = TopologyDriver(topology)
    driver.pipe("payments", "bob", serde.encode(Payment("alice", "note", 7)))
    driver.pipe("payments", "bob", Wider("alice", "note", 7, "why"))
    assert driver.read("output") == [("bob", Wider("alice", "note", 7)), ("bob", Wider("alice", "note", 7, "why"))]


def test_deep_topologies_hand_on_the_part_that_was_decoded(serde):
    steps = [lambda s: s.filter(lambda p: p.amount > 5)] * 15
    topology = pass_on(serde, *steps)
    assert "value_part" in Plan(topology).subtopologies[0].program.text
    driver = TopologyDriver(topology)
    data = damaged(serde, Payment("alice", "note", 7))
    driver.pipe("payments", "bob", data)
    assert [record.value() for record in driver.read_raw("output")] == [data]


def deep(stream, predicate):
    for _ in range(15):
        stream = stream.filter(predicate)
    return stream


@pytest.mark.parametrize(
    ("nullable", "predicate"), [(False, lambda p: p.amount > 5), (True, lambda p: p is None or p.amount > 5)]
)
def test_deep_topologies_pass_on_records_without_a_value_and_find_damaged_ones(serde, nullable, predicate):
    topology = Topology("app", on_unreadable=OnError.SKIP)
    same = AvroSerde(serde._client, "output-value", SCHEMA, Payment)
    deep(topology.stream("payments", serde, nullable=nullable), predicate).to("output", same)
    driver = TopologyDriver(topology)
    driver.pipe("payments", "bob", Payment("alice", "note", 7))
    if nullable:
        driver.pipe("payments", "bob", None)
    driver.pipe("payments", "bob", damaged(serde, Payment("alice", "note", 7)))
    found = [record.value() for record in driver.read_raw("output")]
    assert found == [serde.encode(Payment("alice", "note", 7)), *([None] if nullable else [])]


def test_a_value_that_is_written_with_another_schema_is_read_as_a_whole_first(serde):
    """What is damaged in it is unreadable, not something that a step failed on."""
    wider = SCHEMA.replace('"long"}', '"long"}, {"name": "reason", "type": "string", "default": ""}')

    class Wider(Struct, frozen=True):
        account: str
        note: str
        amount: int
        reason: str = ""

    topology = Topology("app", on_unreadable=OnError.SKIP)
    payments = topology.stream("payments", serde)
    payments.filter(lambda p: p.amount > 5).to("output", AvroSerde(serde._client, "output-value", wider, Wider))
    driver = TopologyDriver(topology)
    driver.pipe("payments", "bob", damaged(serde, Payment("alice", "note", 7)))
    assert driver.read_raw("output") == []
