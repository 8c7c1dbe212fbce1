"""Keys as text."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct, json

from tailrace.registry.serde import BytesSerde, JsonSerde, MsgpackSerde, NumberSerde, StringSerde
from tailrace.streams.serving.keys import NoKey, parse_key, python_type, type_name
from tests.tailrace.streams.sums import Add, PackSerde


class Place(Struct, frozen=True):
    shop: str
    shelf: int


@pytest.mark.parametrize(
    ("serde", "text", "key"),
    [
        (StringSerde(), "alice", "alice"),
        (StringSerde(), "1", "1"),
        (StringSerde(), '"a/b"', '"a/b"'),
        (NumberSerde("q"), "-5", -5),
        (NumberSerde("d"), "5", 5.0),
        (NumberSerde("d"), "2.5e3", 2500.0),
        (BytesSerde(), "aGk=", b"hi"),
        (JsonSerde(dict), '{"a": 1}', {"a": 1}),
        (JsonSerde(), "[1, null]", [1, None]),
        (JsonSerde(Place), '{"shop":"s","shelf":1}', Place("s", 1)),
        (MsgpackSerde(tuple[str, int]), '["a", 1]', ("a", 1)),
        # A serde that does not say what it writes.
        (PackSerde(Add), '{"id":"1","amount":2}', {"id": "1", "amount": 2}),
    ],
)
def test_a_text_stands_for_a_key(serde, text, key):
    assert parse_key(text, serde) == key
    assert type(parse_key(text, serde)) is type(key)


@pytest.mark.parametrize(
    ("serde", "text", "message"),
    [
        (StringSerde(), "\ud800", r"'\\ud800' is no key: expected text"),
        (NumberSerde("q"), "alice", "'alice' is no key: expected the JSON of int"),
        (NumberSerde("q"), "1.5", "expected the JSON of int"),
        (NumberSerde("q"), str(1 << 63), "expected the JSON of int; 9223372036854775808 does not fit"),
        (NumberSerde("q"), "9" * 5000, "expected the JSON of int"),
        (NumberSerde("d"), "NaN", "expected the JSON of float"),
        (BytesSerde(), "%", "expected base64"),
        (JsonSerde(Place), '{"shop":"s"}', "the JSON of Place; .*missing required field `shelf`"),
        (JsonSerde(), "", "expected the JSON of a value"),
    ],
)
def test_what_is_no_key_is_told(serde, text, message):
    with pytest.raises(NoKey, match=message):
        parse_key(text, serde)


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.binary() | st.integers(-(1 << 63), (1 << 63) - 1))
def test_what_an_answer_has_as_key_can_be_asked_for(key):
    serde = {str: StringSerde(), bytes: BytesSerde(), int: NumberSerde("q")}[type(key)]
    answered = json.decode(json.encode(key))
    assert parse_key(answered if isinstance(answered, str) else str(answered), serde) == key


def test_types_have_names():
    assert type_name(python_type(StringSerde())) == "str"
    assert type_name(python_type(JsonSerde(Place))) == "Place"
    assert type_name(python_type(MsgpackSerde(tuple[str, int]))) == "tuple"
    assert type_name(python_type(PackSerde(Add))) is type_name(Any) is None
