"""The routes of tables: their names, the values and windows of keys, and all that they have, page by page."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from tailrace.encoded_path import decoded
from tailrace.streams.queries import Queries
from tailrace.streams.serving.app import JSON, json
from tailrace.streams.serving.forwarding import ANSWERED_BY, FORWARDED_BY, Answer, Forwarding
from tailrace.streams.serving.keys import parse_key
from tailrace.streams.serving.pages import DEFAULT_LIMIT, MAX_LIMIT, Cursor, Page, read_page, row
from tailrace.streams.serving.parameters import BadParameter, check_names, number, span
from tailrace.streams.serving.tables import ServedTable
from tailrace.streams.state.kept import Bounds, KeptByWindow, key_bounds
from tailrace.streams.state.store import Reader

# What answers a question from a store, with a body.
Question = Callable[[Reader[Any]], bytes]


def table_routes(tables: Mapping[str, ServedTable], queries: Queries, forwarding: Forwarding) -> list[BaseRoute]:
    """Make the routes of the tables."""
    handlers = _Tables(tables, queries, forwarding)
    return [
        Route("/tables", handlers.names),
        Route("/tables/{store}", handlers.page),
        Route("/tables/{store}/{key}", handlers.value),
        Route("/tables/{store}/{key}/windows", handlers.windows),
    ]


class _Tables:
    def __init__(self, tables: Mapping[str, ServedTable], queries: Queries, forwarding: Forwarding) -> None:
        self._tables = tables
        self._queries = queries
        self._forwarding = forwarding

    async def names(self, request: Request) -> Response:
        check_names(request.query_params, ())
        return json([table.described() for table in self._tables.values()])

    async def value(self, request: Request) -> Response:
        table, key = self._table(request), decoded(request.path_params)["key"]
        check_names(request.query_params, ("partition",))
        if table.has_windows:
            raise HTTPException(400, f"a key of {table.name} has windows; ask for /tables/{table.name}/KEY/windows")
        asked = parse_key(key, table.kept.key)

        def read(reader: Reader[Any]) -> bytes:
            value = table.kept.get(reader, asked)
            return b"" if value is None else _encoded(table, row(asked, value))

        answer = await self._ask_about_key(request, table, asked, read)
        if answer.status == 200 and not answer.body:
            raise HTTPException(404, f"{table.name} has no value for the key {key!r}", {ANSWERED_BY: answer.instance})
        return _response(answer)

    async def windows(self, request: Request) -> Response:
        table = self._table(request)
        check_names(request.query_params, ("earliest", "latest", "partition"))
        if not table.has_windows:
            raise HTTPException(400, f"{table.name} has no windows; ask for /tables/{table.name}/KEY")
        asked, times = parse_key(decoded(request.path_params)["key"], table.kept.key), span(request.query_params)

        def read(reader: Reader[Any]) -> bytes:
            return _encoded(table, {"entries": [row(*entry) for entry in table.kept.fetch(reader, asked, *times)]})

        return _response(await self._ask_about_key(request, table, asked, read))

    async def page(self, request: Request) -> Response:
        table, given = self._table(request), request.query_params
        bounds, limit = _bounds(table, given), number(given, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
        place, last = _places(table, given)
        rows: list[Any] = []
        answered: dict[str, None] = {}
        while True:
            page, instance = await self._page(request, table, bounds, place, limit - len(rows))
            answered[instance] = None
            rows += page.entries
            after = page.next or (str(Cursor(place.partition + 1)) if place.partition < last else None)
            if after is None or len(rows) >= limit:
                return json(Page(rows, after), headers={ANSWERED_BY: ", ".join(answered)})
            place = Cursor.parse(after)

    async def _page(
        self, request: Request, table: ServedTable, bounds: Bounds, place: Cursor, limit: int
    ) -> tuple[Page, str]:
        """A page of one partition, and who gave it."""

        def read(reader: Reader[Any]) -> bytes:
            return _encoded(table, read_page(table.kept, reader, bounds, place, limit))

        here = {"partition": place.partition, "cursor": place, "limit": limit}
        path: bytes = request.scope["raw_path"] + b"?" + urlencode({**request.query_params, **here}).encode()
        answer = await self._ask(request, table, place.partition, read, path)
        if answer.status != 200:
            raise HTTPException(answer.status, f"instance {answer.instance} answered {answer.body!r:.500}")
        return msgspec.json.decode(answer.body, type=_RawPage), answer.instance

    async def _ask_about_key(self, request: Request, table: ServedTable, key: Any, read: Question) -> Answer:
        path: bytes = request.scope["raw_path"]
        query: bytes = request.scope["query_string"]
        # Who writes a table's topic, or a processor, may have another rule than Kafka's producers.
        partition = number(request.query_params, "partition", table.partition(key), 0, table.partitions - 1)
        return await self._ask(request, table, partition, read, path + b"?" + query if query else path)

    async def _ask(self, request: Request, table: ServedTable, partition: int, read: Question, path: bytes) -> Answer:
        task, queries = table.task(partition), self._queries

        def here() -> bytes | None:
            return queries.read_global(table.name, read) if task is None else queries.read(table.name, partition, read)

        return await self._forwarding.answer(task, here, path, is_forwarded=FORWARDED_BY in request.headers)

    def _table(self, request: Request) -> ServedTable:
        name = decoded(request.path_params)["store"]
        if name not in self._tables:
            raise HTTPException(404, f"there is no table {name!r}; there are: {', '.join(self._tables) or 'none'}")
        return self._tables[name]


class _RawPage(Page):
    """A page whose entries stay JSON."""

    entries: list[msgspec.Raw]


def _bounds(table: ServedTable, given: Mapping[str, str]) -> Bounds:
    kept = table.kept
    common = ("limit", "cursor", "partition")
    if isinstance(kept, KeptByWindow):
        check_names(given, ("earliest", "latest", *common))
        return kept.between(*span(given))
    check_names(given, ("first", "last", *common))
    first, last = (parse_key(given[name], kept.key) if name in given else None for name in ("first", "last"))
    return key_bounds(kept.key, first, last)


def _places(table: ServedTable, given: Mapping[str, str]) -> tuple[Cursor, int]:
    """Where to begin, and the last partition."""
    last = number(given, "partition", table.partitions - 1, 0, table.partitions - 1)
    first = last if "partition" in given else 0
    if "cursor" not in given:
        return Cursor(first), last
    try:
        place = Cursor.parse(given["cursor"])
    except ValueError as error:
        raise BadParameter(f"cursor: {error}") from error
    if not first <= place.partition <= last:
        raise BadParameter(f"cursor={given['cursor']!r} is of partition {place.partition}; expected {first} to {last}")
    return place, last


def _encoded(table: ServedTable, content: object) -> bytes:
    try:
        return msgspec.json.encode(content)
    except (TypeError, ValueError, OverflowError) as error:
        raise HTTPException(500, f"keys or values of {table.name} cannot be written as JSON: {error}") from error


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, {ANSWERED_BY: answer.instance}, JSON)
