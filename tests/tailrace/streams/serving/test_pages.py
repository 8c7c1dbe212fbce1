"""Pages of a table: together they are the table."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.streams import Sessions, Topology, Tumbling
from tailrace.streams.serving.pages import Cursor, read_page, row
from tailrace.streams.serving.parameters import BadParameter, check_names, number, span
from tailrace.streams.state.store import Committed
from tailrace.testing.topology_driver import TopologyDriver

GROUPS = {
    "keys": lambda grouped: grouped,
    "windows": lambda grouped: grouped.windowed_by(Tumbling(10, grace=1_000)),
    "sessions": lambda grouped: grouped.windowed_by(Sessions(3, grace=1_000)),
}


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(GROUPS)),
    st.lists(st.tuples(st.sampled_from(["", "a", "b", "b\0", "ab"]), st.integers(0, 60)), max_size=30),
    st.integers(1, 12),
    st.booleans(),
)
def test_pages_together_are_the_table(kind, records, limit, is_written):
    topology = Topology("app")
    table = GROUPS[kind](topology.stream("numbers", int).group_by_key()).count(store="counts")
    driver = TopologyDriver(topology)
    for key, time in records:
        driver.pipe("numbers", key, 1, timestamp=time)
    if is_written:
        driver.write()
    whole = [row(*entry) for entry in driver.queries().of(table).all()]
    kept, reader = table.node.operator.kept(table.key), Committed(driver.store("counts"))
    pages, place = [], Cursor(0)
    while True:
        pages.append(read_page(kept, reader, (b"", None), place, limit))
        if pages[-1].next is None:
            break
        place = Cursor.parse(pages[-1].next)
    assert [entry for page in pages for entry in page.entries] == whole
    # The sessions of a key are not torn apart.
    assert all(len(page.entries) >= limit for page in pages[:-1])
    assert kind == "sessions" or all(len(page.entries) <= limit for page in pages)


@given(st.integers(0, 1000), st.none() | st.binary())
def test_a_cursor_can_be_read_again(partition, after):
    assert Cursor.parse(str(Cursor(partition, after))) == Cursor(partition, after)


@pytest.mark.parametrize("text", ["", "x", "-1", "1.%", "1.a", ".YQ==", "²", "1.YQ==.YQ=="])
def test_what_is_no_cursor_is_told(text):
    with pytest.raises(ValueError, match="is no cursor; expected what a page before gave as next"):
        Cursor.parse(text)


def test_numbers_are_within_bounds():
    assert number({}, "limit", 7, 1, 9) == 7
    assert [number({"limit": text}, "limit", 7, 1, 9) for text in "19"] == [1, 9]
    for text in ("0", "10", "-1", "x", "", "1.0", "²", "1" * 5000):
        with pytest.raises(BadParameter, match="expected a whole number from 1 to 9"):
            number({"limit": text}, "limit", 7, 1, 9)
    assert span({"earliest": "5", "latest": "6"}) == (5, 6)


def test_there_are_no_other_parameters():
    check_names(["limit"], ("limit", "cursor"))
    with pytest.raises(BadParameter, match="there is no parameter 'lmit' here; expected limit, cursor"):
        check_names(["lmit"], ("limit", "cursor"))
    with pytest.raises(BadParameter, match="expected none"):
        check_names(["limit"], ())


def test_the_rows_of_a_join_by_a_foreign_key_are_in_pages():
    topology = Topology("app")
    orders, names = topology.table("orders", str), topology.table("names", str)
    joined = orders.join(names, lambda order, name: f"{order}:{name}", on=lambda order: order[0], store="named")
    joined.to("named-orders", str)
    driver = TopologyDriver(topology)
    driver.pipe("names", "x", "X")
    for key, order in (("a", "x1"), ("b", "y1"), ("c", "x2"), ("d", "x3")):
        driver.pipe("orders", key, order)
    kept = joined.node.operator.kept(joined.key)
    reader = Committed(driver.store(kept.store))
    first = read_page(kept, reader, (b"", None), Cursor(0), 2)
    second = read_page(kept, reader, (b"", None), Cursor.parse(first.next), 2)
    rows = [("a", "x1:X"), ("c", "x2:X"), ("d", "x3:X")]
    assert [(entry["key"], entry["value"]) for entry in [*first.entries, *second.entries]] == rows
    assert list(driver.queries().of(joined).all()) == rows
    assert second.next is None
