"""Requests to change configurations that contradict themselves."""

from types import SimpleNamespace
from typing import Any

from kio.schema.errors import ErrorCode

from tailrace.broker.config_changes import DELETE, answer_each


def config(name: str, value: str | None, **fields: int) -> Any:
    return SimpleNamespace(name=name, value=value, **fields)


def resource(name: str, *configs: Any) -> Any:
    return SimpleNamespace(resource_type=2, resource_name=name, configs=configs)


def errors(*resources: Any) -> list[ErrorCode]:
    changed: list[str] = []

    def change(resource: Any) -> dict[str, Any]:
        changed.append(resource.resource_name)
        return {"resource_name": resource.resource_name, "error_code": ErrorCode.none}

    answers = answer_each(resources, change)
    assert [answer["resource_name"] for answer in answers] == [resource.resource_name for resource in resources]
    good = [answer["resource_name"] for answer in answers if answer["error_code"] is ErrorCode.none]
    assert good == changed
    return [answer["error_code"] for answer in answers]


GOOD, BAD = ErrorCode.none, ErrorCode.invalid_request


def test_a_resource_that_is_named_twice_is_refused_both_times_and_others_are_not() -> None:
    a, b = resource("a", config("retention.ms", "1")), resource("b")
    assert errors(a, b, a) == [BAD, GOOD, BAD]


def test_a_configuration_that_is_named_twice_is_refused() -> None:
    assert errors(resource("a", config("x", "1"), config("x", "2")), resource("b", config("x", "1"))) == [BAD, GOOD]


def test_null_is_a_value_for_deleting_only() -> None:
    assert errors(resource("a", config("x", None))) == [BAD]
    assert errors(resource("a", config("x", None, config_operation=0))) == [BAD]
    assert errors(resource("a", config("x", None, config_operation=DELETE))) == [GOOD]
