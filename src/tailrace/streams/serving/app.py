"""The HTTP application: routes, and how what goes wrong becomes an answer, which is `{"error_code", "message"}`."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from tailrace.encoded_path import encoded_path
from tailrace.streams.serving.forwarding import Unavailable
from tailrace.streams.serving.keys import NoKey
from tailrace.streams.serving.parameters import BadParameter

log = structlog.get_logger("tailrace.streams")

JSON = "application/json"
RETRY_AFTER_S = 1


def make_app(routes: Sequence[BaseRoute], on_end: Callable[[], Awaitable[None]]) -> ASGIApp:
    """Make the application of these routes, which find the parts of their paths as sent: see `encoded_path`."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await on_end()

    handlers: dict[Any, Any] = {
        HTTPException: lambda _, error: failure(error.status_code, error.detail, error.headers),
        BadParameter: lambda _, error: failure(400, str(error)),
        NoKey: lambda _, error: failure(400, str(error)),
        Unavailable: lambda _, error: failure(503, str(error), {"Retry-After": str(RETRY_AFTER_S)}),
        Exception: _unexpected,
    }
    return encoded_path(Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan))


def json(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A response of JSON."""
    return Response(msgspec.json.encode(content), status, headers, JSON)


def failure(status: int, message: str, headers: Any = None) -> Response:
    """A response that says what is wrong."""
    return json({"error_code": status, "message": message}, status, dict(headers or {}))


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("a query failed", path=request.url.path, error=repr(error))
    return failure(500, f"unexpected error: {error!r}")
