"""A handler with a mistake in it costs its connection, and nobody else anything."""

from typing import Any

import pytest

from tailrace.broker.dispatch import APIS

from .fuzz.world import Wire, World
from .requests import encode_request, framed

METADATA = 3


def fails(request: Any, call: Any) -> Any:
    raise ZeroDivisionError


async def fails_later(request: Any, call: Any) -> Any:
    raise ZeroDivisionError


def answers_nonsense(request: Any, call: Any) -> Any:
    return {"brokers": 1}


async def answers_nonsense_later(request: Any, call: Any) -> Any:
    return {"brokers": 1}


@pytest.mark.parametrize("handler", [fails, fails_later, answers_nonsense, answers_nonsense_later])
def test_its_connection_is_closed(handler: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(APIS, METADATA, APIS[METADATA]._replace(handle=handler))  # type: ignore[attr-defined]
    wires: list[Wire] = []

    def act(wire: Wire) -> None:
        wires.append(wire)
        wire.send(framed(encode_request("metadata", METADATA, 1, 1, {"topics": []})))

    with World() as world, pytest.raises(AssertionError, match="a request failed, its connection is closed"):
        world.run(act)
    assert wires[0].is_closed
    assert wires[0].written == b""
