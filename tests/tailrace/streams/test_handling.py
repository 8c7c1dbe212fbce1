"""Records that cannot be read, and records that a step fails on: stop, skip or dead letter, with nothing half done."""

import pytest

from tailrace.streams import Emit, OnError, ProcessingFailed, Topology, Tumbling, Unwritable
from tailrace.testing.topology_driver import ManualClock, TopologyDriver

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


def counting(**handling):
    """Counts numbers by key, and writes the count and the number; 13 becomes something that no serde can write."""
    topology = Topology("app", **handling)
    numbers = topology.stream("in", int)
    numbers.group_by_key().count().to("counts")
    numbers.map_values(lambda v: "thirteen" if v == 13 else v).to("numbers", int)
    numbers.map_values(lambda v: v).to(lambda v: f"chosen-{v}", int)
    return TopologyDriver(topology)


@pytest.mark.parametrize("on_failure", [OnError.FAIL, OnError.SKIP, OnError.DEAD_LETTER])
def test_an_output_that_no_serde_can_write_stops_the_application_whatever_is_done_with_steps_that_fail(on_failure):
    driver = counting(on_failure=on_failure)
    driver.pipe("in", "a", 1)
    with pytest.raises(
        ProcessingFailed, match=r"record 1 of in-0 stops app: .* cannot be written to numbers: .*thirteen"
    ):
        driver.pipe("in", "a", 13)


@pytest.mark.parametrize("on_unwritable", [OnError.SKIP, OnError.DEAD_LETTER, lambda record, error: OnError.SKIP])
@pytest.mark.parametrize("on_failure", [OnError.FAIL, OnError.SKIP])
def test_only_the_output_that_no_serde_can_write_is_left_out(on_unwritable, on_failure):
    driver = counting(on_unwritable=on_unwritable, on_failure=on_failure)
    for number in (1, 13, 2):
        driver.pipe("in", "a", number)
    assert [count for _, count in driver.read("counts")] == [1, 2, 3]
    assert [number for _, number in driver.read("numbers")] == [1, 2]
    assert len(driver.read_raw("chosen-13")) == 1
    letters = driver.read_raw("dead-letters")
    assert [letter.value()[-1] for letter in letters] == ([13] if on_unwritable is OnError.DEAD_LETTER else [])
    for letter in letters:
        headers = dict(letter.headers())
        assert headers["__connect.errors.stage"] == b"KAFKA_PRODUCE"
        assert headers["__connect.errors.exception.class.name"] == b"Unwritable"
        assert headers["__connect.errors.exception.message"].startswith(b"an output cannot be written to numbers")
    assert driver.restart(lose_state=True)
    driver.pipe("in", "a", 3)
    assert driver.read("counts") == [("a", 4)]


def test_a_handler_knows_the_topic_that_could_not_be_written_to():
    def handle(record, error):
        assert isinstance(error, Unwritable)
        assert error.__cause__ is not None
        return OnError.SKIP if error.topic == "numbers" else OnError.FAIL

    driver = counting(on_unwritable=handle)
    driver.pipe("in", "a", 13)
    assert driver.read("numbers") == []


def test_steps_after_an_output_that_was_left_out_may_still_fail_and_undo_it_all():
    topology = Topology("app", on_failure=OnError.DEAD_LETTER, on_unwritable=OnError.DEAD_LETTER)
    numbers = topology.stream("in", int)
    numbers.map_values(str).to("numbers", int)
    numbers.foreach(lambda v: 1 // v)
    driver = TopologyDriver(topology)
    driver.pipe("in", "a", 0)
    (letter,) = driver.read_raw("dead-letters")
    assert dict(letter.headers())["__connect.errors.stage"] == b"TRANSFORMATION"


@pytest.mark.parametrize("on_unwritable", [OnError.FAIL, OnError.SKIP])
def test_an_event_that_no_serde_can_write_is_a_failure_of_its_decision(on_unwritable):
    """It cannot be left out alone, since state is rebuilt from it."""
    topology = Topology("app", on_failure=OnError.DEAD_LETTER, on_unwritable=on_unwritable)
    decided = topology.stream("in", int).decide(
        "sums",
        lambda key, state, value, record: [state + value if value != 13 else "thirteen"],
        lambda state, event: state if event == "thirteen" else event,
        initial=0,
    )
    decided.to("out", int)
    driver = TopologyDriver(topology)
    for number in (1, 13, 2):
        driver.pipe("in", "a", number)
    assert [total for _, total in driver.read("out")] == [1, 3]
    (letter,) = driver.read_raw("dead-letters")
    assert dict(letter.headers())["__connect.errors.stage"] == b"TRANSFORMATION"


def test_a_change_of_state_that_no_serde_can_write_stops_the_application_and_says_which():
    topology = Topology("app", on_failure=OnError.SKIP, on_unwritable=OnError.SKIP)
    topology.stream("in", int).group_by_key().aggregate(0, lambda total, v: object(), store="things")
    driver = TopologyDriver(topology)
    with pytest.raises(ProcessingFailed, match="an output cannot be written to app-things-changelog"):
        driver.pipe("in", "a", 1)


@pytest.mark.parametrize("on_unwritable", [OnError.SKIP, OnError.DEAD_LETTER])
def test_what_no_record_made_has_nothing_for_dead_letters(on_unwritable):
    """Such as what a window gives when the clock closes it."""
    topology = Topology("app", on_unwritable=on_unwritable)
    windows = topology.stream("in", int).group_by_key().windowed_by(Tumbling("1m", idle="10s"), emit=Emit.CLOSE)
    windows.count().to_stream().map(lambda w, count: (w.key, "many"), value=int).to("out")
    clock = ManualClock()
    driver = TopologyDriver(topology, clock=clock)
    driver.pipe("in", "a", 1)
    driver.advance_wall_clock()
    clock.advance(120_000)
    if on_unwritable is OnError.SKIP:
        driver.advance_wall_clock()
        assert driver.read("out") == []
    else:
        with pytest.raises(ProcessingFailed, match="what no record made stops app: an output cannot be written to out"):
            driver.advance_wall_clock()


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
