"""Rows of the table: requests in which what only a running broker knows is left open."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .requests import Producer, Request
from .world import World

NAME = re.compile(r"\{(\w+)\}")

# Attributes of the world.
PLAIN, COMPACTED, STRICT, UNTOUCHED, GROWING = "{plain}", "{compacted}", "{strict}", "{untouched}", "{growing}"
GROUP, EMPTY_GROUP, CONNECT_GROUP, MEMBER_ID = "{group}", "{empty_group}", "{connect_group}", "{member_id}"
MISSING, FRESH = "{missing}", "{fresh}"


class Row(NamedTuple):
    """One request; `versions` bounds those in which it is asked, both ends included.

    Texts may name attributes of the world, as in "{plain}"; a function is called with the world.
    """

    name: str
    api: str
    template: Request
    versions: tuple[int, int] = (0, 99)

    def request(self, world: World) -> Request:
        """The request for one broker."""
        found: Request = _filled(self.template, world)
        return found


class Versions(NamedTuple):
    """A request that makes sense in some versions only."""

    first: int
    last: int
    template: Request


def since(first: int, template: Request) -> Versions:
    return Versions(first, 99, template)


def within(first: int, last: int, template: Request) -> Versions:
    return Versions(first, last, template)


def rows(api: str, requests: Mapping[str, Request | Versions]) -> list[Row]:
    """Rows of one API."""
    return [_row(api, name, request) for name, request in requests.items()]


def _row(api: str, name: str, request: Request | Versions) -> Row:
    if isinstance(request, Versions):
        return Row(f"{api}: {name}", api, request.template, (request.first, request.last))
    return Row(f"{api}: {name}", api, request)


def known(name: str) -> Producer:
    """A producer of the world, by attribute: each field is filled in later."""
    return Producer(*(_field(name, field) for field in Producer._fields))  # type: ignore[arg-type]


def _field(name: str, field: str) -> Callable[[World], Any]:
    return lambda world: getattr(getattr(world, name), field)


IDLE, ONGOING, COMMITTED, FENCED, OFFSETS, GROUPED = map(
    known, ("idle", "ongoing", "committed", "fenced", "offsets", "grouped")
)


def _filled(template: Any, world: World) -> Any:
    if isinstance(template, dict):
        return {key: _filled(value, world) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [_filled(value, world) for value in template]
    if isinstance(template, str):
        return NAME.sub(lambda match: str(getattr(world, match[1])), template)
    return template(world) if callable(template) else template
