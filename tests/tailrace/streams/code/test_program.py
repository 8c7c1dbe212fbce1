"""Generated code: nothing is decoded that nobody looks at, nothing is encoded that nobody changed."""

import traceback

import pytest

from tailrace.registry.serde import AvroSerde, JsonSerde
from tailrace.streams import OnError, ProcessingFailed, Topology
from tailrace.streams.code import program
from tailrace.streams.plan import Plan
from tailrace.testing.registry import LocalRegistry
from tailrace.testing.topology_driver import TopologyDriver

SCHEMA = '{"type": "record", "name": "Payment", "fields": [{"name": "amount", "type": "long"}]}'
WIDER = (
    '{"type": "record", "name": "Payment", "fields": [{"name": "amount", "type": "long"},'
    ' {"name": "card", "type": "string", "default": ""}]}'
)


class Counting:
    """A serde that counts its calls."""

    def __init__(self):
        self.decoded = self.encoded = 0

    def decode(self, data):
        self.decoded += 1
        return data.decode()

    def encode(self, value):
        self.encoded += 1
        return value.encode()


def counted(build):
    serde, topology = Counting(), Topology("app")
    build(topology.stream("in", serde))
    driver = TopologyDriver(topology)
    driver.pipe("in", "a", b"value")
    return (serde.decoded, serde.encoded), driver


def test_what_no_step_looks_at_is_not_decoded():
    calls, driver = counted(lambda stream: stream.to("out"))
    assert calls == (0, 0)
    assert driver.read("out") == [("a", "value")]


def test_what_no_step_changed_is_not_encoded():
    calls, driver = counted(lambda stream: stream.filter(lambda v: v == "value").select_key(lambda k: k).to("out"))
    assert calls == (1, 0)
    assert driver.read("out") == [("value", "value")]


def test_a_value_is_decoded_once_for_all_steps_that_look_at_it():
    def build(stream):
        for number in range(3):
            stream.filter(lambda v: True).to(f"out-{number}")

    assert counted(build)[0] == (1, 0)


def test_a_changed_value_is_encoded_and_a_topic_of_another_serde_as_well():
    other = Counting()
    calls, _ = counted(lambda stream: (stream.map_values(str.upper).to("upper", other), stream.to("same", other)))
    assert calls == (1, 0)
    assert other.encoded == 2


@pytest.mark.parametrize(("written", "passed_on"), [(SCHEMA, True), (WIDER, False)])
def test_avro_is_passed_on_as_it_is_when_the_topic_has_the_same_schema(written, passed_on):
    registry = LocalRegistry()
    reader, writer = AvroSerde(registry, "in-value", SCHEMA), AvroSerde(registry, "out-value", SCHEMA)
    topology = Topology("app")
    topology.stream("in", reader).filter(lambda v: v["amount"] > 1).to("out", writer)
    data = AvroSerde(registry, "in-value", written).encode(
        {"amount": 5, "card": "visa"} if "card" in written else {"amount": 5}
    )
    driver = TopologyDriver(topology)
    driver.pipe("in", "a", data)
    (out,) = driver.read_raw("out")
    assert writer.decode(out.value()) == {"amount": 5}
    assert (out.value() == data) is passed_on


def test_topics_may_be_called_like_variables():
    topology = Topology("app")
    for name in ("key", "value", "timestamp", "record", 'it\'s "quoted" \\ {value}'):
        topology.stream(name, str).filter(lambda v: True).to(name + "-out")
        driver = TopologyDriver(topology)
        driver.pipe(name, "a", "x")
        assert driver.read(name + "-out") == [("a", "x")]


@pytest.mark.parametrize("handling", [{}, {"on_failure": OnError.SKIP}])
def test_many_steps_may_stand_behind_each_other(handling):
    """Python's compiler takes 20 nested loops."""
    topology = Topology("app", **handling)
    stream = topology.stream("in", int)
    for _ in range(40):
        stream = stream.filter(lambda v: True).flat_map_values(lambda v: [v + 1], value=int)
        stream = stream.split(all=lambda v: True)["all"]
    stream.to("out")
    driver = TopologyDriver(topology)
    driver.pipe("in", "a", 1)
    assert driver.read("out") == [("a", 41)]


def test_a_traceback_shows_the_line_of_generated_code():
    topology = Topology("app")
    topology.stream("in", JsonSerde()).map_values(lambda v: 1 // v).to("out", int)
    with pytest.raises(ProcessingFailed) as failure:
        TopologyDriver(topology).pipe("in", "a", 0)
    cause = "".join(traceback.format_exception(failure.value.__cause__))
    assert "<topology app in>" in cause
    assert "mapper_0(value)" in cause
    assert "1 // v" in cause


def test_the_code_of_a_small_topology_is_what_the_module_says():
    shown = [line for line in program.__doc__.splitlines() if line.startswith("    ")]
    topology = Topology("app")
    topology.stream("payments", int).filter(lambda v: v > 1).to("large-payments")
    (sub,) = Plan(topology).subtopologies
    assert sub.program.text.splitlines()[1:] == [*shown, "    return {'payments': source_0}, [], []"]
