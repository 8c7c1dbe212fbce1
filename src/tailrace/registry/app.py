"""The registry's HTTP application: which handler answers what, and how outcomes become answers."""

from collections.abc import Awaitable, Callable

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tailrace.encoded_path import decoded, encoded_path
from tailrace.registry.client import CONTENT_TYPE
from tailrace.registry.errors import ErrorCode, Rejection
from tailrace.registry.handlers import Handlers
from tailrace.registry.log import SchemaLog

Handler = Callable[[Request], Awaitable[object]]


def application(schemas: SchemaLog) -> ASGIApp:
    """Make the ASGI application that serves a started log."""
    h = Handlers(schemas)
    version = "/subjects/{subject}/versions/{version}"
    routes = [
        _route("GET", "/", h.root),
        _route("GET", "/contexts", h.list_contexts),
        _route("GET", "/subjects", h.list_subjects),
        _route("POST", "/subjects/{subject}", h.look_up),
        _route("DELETE", "/subjects/{subject}", h.delete_subject),
        _route("GET", "/subjects/{subject}/versions", h.list_versions),
        _route("POST", "/subjects/{subject}/versions", h.register),
        _route("GET", version, h.get_version),
        _route("DELETE", version, h.delete_version),
        _route("GET", f"{version}/schema", h.get_version_schema),
        _route("GET", f"{version}/referencedby", h.list_referencing),
        _route("GET", "/schemas", h.list_schemas),
        _route("GET", "/schemas/types", h.list_types),
        _route("GET", "/schemas/ids/{id}", h.get_schema),
        _route("GET", "/schemas/ids/{id}/schema", h.get_schema_text),
        _route("GET", "/schemas/ids/{id}/subjects", h.list_subjects_with_id),
        _route("GET", "/schemas/ids/{id}/versions", h.list_versions_with_id),
        _route("POST", "/compatibility/subjects/{subject}/versions", h.check_against_all),
        _route("POST", "/compatibility/subjects/{subject}/versions/{version}", h.check_against_one),
        _route("GET", "/config", h.get_level),
        _route("PUT", "/config", h.set_level),
        _route("DELETE", "/config", h.clear_level),
        _route("GET", "/config/{subject}", h.get_level),
        _route("PUT", "/config/{subject}", h.set_level),
        _route("DELETE", "/config/{subject}", h.clear_level),
        _route("GET", "/mode", h.get_mode),
        _route("GET", "/mode/{subject}", h.get_mode),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _http_error, Exception: _unexpected})
    return encoded_path(app)


def _route(method: str, path: str, handler: Handler) -> Route:
    async def endpoint(request: Request) -> Response:
        request.scope["path_params"] = decoded(request.path_params)
        try:
            outcome = await handler(request)
        except TimeoutError as error:
            outcome = Rejection(ErrorCode.STORE_TIMEOUT, f"Kafka did not answer in time: {error}")
        if isinstance(outcome, Rejection):
            return _error(outcome.code.status, outcome.code, outcome.message)
        # msgspec.Raw is JSON already, such as a schema's own text.
        return Response(msgspec.json.encode(outcome), media_type=CONTENT_TYPE)

    return Route(path, endpoint, methods=[method])


def _error(status: int, code: int, message: str) -> Response:
    body = msgspec.json.encode({"error_code": int(code), "message": message})
    return Response(body, status, media_type=CONTENT_TYPE)


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = _error(error.status_code, error.status_code, f"HTTP {error.status_code} {error.detail}")
    response.headers.update(error.headers or {})
    return response


async def _unexpected(_: Request, error: Exception) -> Response:
    return _error(500, ErrorCode.STORE_ERROR, f"Unexpected error: {error!r}")
