"""Configuration keys: what is taken, and what is said about the rest."""

import pytest

from tailrace.connect import config
from tailrace.connect.config import Key, parse_config
from tailrace.connect.errors import ConfigError

KEYS = (
    Key("topics", "Topics to read.", config.names),
    Key("mode", "How.", config.one_of("bulk", "incrementing"), "bulk"),
    Key("tables", "Which.", config.names, None, ("table.whitelist",)),
    Key("batch.size", "How many.", config.at_least(1), 3000),
)


def test_values_are_parsed_and_defaults_filled_in() -> None:
    assert parse_config("c", {"topics": " a, b ", "mode": "Incrementing"}, KEYS) == {
        "topics": ["a", "b"],
        "mode": "incrementing",
        "tables": None,
        "batch.size": 3000,
    }


def test_a_key_has_aliases() -> None:
    assert parse_config("c", {"topics": "t", "table.whitelist": "x"}, KEYS)["tables"] == ["x"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "c: topics is missing: Topics to read."),
        ({"topics": "t", "mode": "fast"}, "c: mode='fast' is not allowed, expected one of bulk, incrementing"),
        ({"topics": "t", "batch.size": "0"}, "c: batch.size='0' is not allowed, expected a whole number from 1 on"),
        ({"topics": "t", "batch.size": "x"}, "c: batch.size='x' is not allowed, expected a whole number from 1 on"),
        ({"topics": "t,,u"}, "c: topics='t,,u' is not allowed, expected names separated by commas"),
        (
            {"topics": "t", "batchsize": "1"},
            "c: batchsize='1' is not a key of this connector; did you mean batch.size?",
        ),
        (
            {"topics": "t", "xyz": "1"},
            "c: xyz='1' is not a key of this connector; known are batch.size, mode, table.whitelist, tables, topics",
        ),
        ({"topics": "t", "batch.size": 5}, "c: batch.size=5 is not text; write batch.size='5'"),
        (
            {"topics": "t", "tables": "x", "table.whitelist": "x"},
            "c: table.whitelist='x' repeats tables; give one of tables, table.whitelist",
        ),
        ({"mode": "m", "xyz": "1"}, "c: mode='m' is not allowed, expected one of bulk, incrementing; xyz="),
    ],
    ids=["missing", "word", "minimum", "number", "list", "misspelt", "unknown", "not-text", "twice", "all-at-once"],
)
def test_a_problem_is_told_with_key_value_and_what_is_allowed(given: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_config("c", given, KEYS)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("parse", "value", "parsed"),
    [
        (config.boolean, "True", True),
        (config.boolean, "false", False),
        (config.pairs, "a:b, c:d", {"a": "b", "c": "d"}),
        (config.text_or_empty, "", ""),
        (config.at_least(0), "0", 0),
    ],
)
def test_parsers_take(parse: object, value: str, parsed: object) -> None:
    assert parse(value) == parsed  # type: ignore[operator]


@pytest.mark.parametrize(
    ("parse", "value"),
    [(config.boolean, "yes"), (config.pairs, "a:"), (config.pairs, "a:b:c"), (config.text, ""), (config.pattern, "(")],
)
def test_parsers_refuse(parse: object, value: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(value)  # type: ignore[operator]
