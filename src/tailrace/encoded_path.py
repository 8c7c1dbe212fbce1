"""Paths of HTTP requests whose parts may contain an encoded slash."""

from collections.abc import Mapping
from urllib.parse import unquote

from starlette.types import ASGIApp, Receive, Scope, Send


def encoded_path(app: ASGIApp) -> ASGIApp:
    """Match an application's routes on the path as sent; its parts are then for `decoded`."""

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and "raw_path" in scope:
            scope = {**scope, "path": scope["raw_path"].decode("latin-1")}
        await app(scope, receive, send)

    return middleware


def decoded(path_params: Mapping[str, str]) -> dict[str, str]:
    """The parts of a path that were matched as sent."""
    return {name: unquote(value) for name, value in path_params.items()}
