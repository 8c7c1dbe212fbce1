"""Records that cannot be read, and records that a step fails on: stop, skip or dead letter, with nothing half done."""

import pytest

from tailrace.streams import OnError, ProcessingFailed, Topology
from tailrace.testing.topology_driver import TopologyDriver

HANDLERS = ["on_unreadable", "on_failure"]


def summing(**handling):
    """Sums numbers by key and fails on 13, when state has changed and a first record is written already."""
    topology = Topology("app", **handling)

    def decide(key, state, value, record):
        yield state + value
        if value == 13:
            raise ValueError("no luck")
        yield state + value

    topology.stream("in", int).decide("sums", decide, lambda state, total: total, initial=0).to("out", int)
    return TopologyDriver(topology)


def feed(driver):
    driver.pipe("in", "a", 1)
    driver.pipe("in", "a", b"short")
    driver.pipe("in", "a", 2)
    driver.pipe("in", "a", 13)
    driver.pipe("in", "a", 3)


@pytest.mark.parametrize(("record", "said"), [(b"short", "not 8 bytes"), (13, "no luck")])
def test_without_a_handler_the_application_stops_and_says_where(record, said):
    driver = summing()
    driver.pipe("in", "a", 1)
    with pytest.raises(ProcessingFailed, match=rf"record 1 of in-0 .*{said}"):
        driver.pipe("in", "a", record)


@pytest.mark.parametrize("handled", [OnError.SKIP, OnError.DEAD_LETTER])
def test_with_handlers_the_next_record_finds_state_as_if_the_failed_one_had_never_been(handled):
    driver = summing(on_unreadable=handled, on_failure=handled)
    feed(driver)
    assert [value for _, value in driver.read("out")] == [1, 1, 3, 3, 6, 6]
    letters = driver.read_raw("dead-letters")
    if handled is OnError.SKIP:
        assert letters == []
        return
    assert [letter.value() for letter in letters] == [b"short", b"\0\0\0\0\0\0\0\r"]
    headers = [dict(letter.headers()) for letter in letters]
    assert [h["__connect.errors.stage"] for h in headers] == [b"VALUE_CONVERTER", b"TRANSFORMATION"]
    assert [h["__connect.errors.offset"] for h in headers] == [b"1", b"3"]
    assert b"no luck" in headers[1]["__connect.errors.exception.message"]


def test_a_failed_record_takes_back_only_what_it_did_itself():
    """Also where nothing was committed between it and the records before it."""
    driver = summing(on_failure=OnError.SKIP)
    for number in (1, 13, 2):
        driver.pipe("in", "a", number, commit=False)
    driver.commit()
    assert [value for _, value in driver.read("out")] == [1, 1, 3, 3]


def test_a_handler_may_decide_for_each_record():
    def handle(record, error):
        return OnError.DEAD_LETTER if isinstance(error, ValueError) else OnError.FAIL

    topology = Topology("app", on_failure=handle)
    topology.stream("in", str).map_values(int).to("out", int)
    topology.stream("other", str).map_values(lambda v: v.nothing).to("nowhere", str)
    driver = TopologyDriver(topology)
    driver.pipe("in", "a", "x")
    assert len(driver.read_raw("dead-letters")) == 1
    with pytest.raises(ProcessingFailed, match="nothing"):
        driver.pipe("other", "a", "x")


def test_what_a_step_made_and_no_serde_can_write_is_a_failure_of_that_record():
    topology = Topology("app", on_failure=OnError.DEAD_LETTER)
    topology.stream("in", int).map_values(lambda v: v if v > 0 else "nothing").to("out", int)
    driver = TopologyDriver(topology)
    driver.pipe("in", "a", 0)
    driver.pipe("in", "a", 1)
    assert driver.read("out") == [("a", 1)]
    assert len(driver.read_raw("dead-letters")) == 1


def test_a_record_without_a_key_is_unreadable_where_a_key_is_needed():
    driver = summing(on_unreadable=OnError.DEAD_LETTER)
    driver.pipe("in", None, 1)
    assert driver.read("out") == []
    (letter,) = driver.read_raw("dead-letters")
    assert dict(letter.headers())["__connect.errors.exception.message"] == b"the record has no key"


def test_a_record_without_a_key_is_passed_on_where_none_is_needed():
    topology = Topology("app")
    topology.stream("in", int).filter(lambda v: v > 0).to("out")
    driver = TopologyDriver(topology)
    driver.pipe("in", None, 1)
    assert driver.read("out") == [(None, 1)]
