"""The page: one document, and its scripts and styles under an address that changes with their content."""

import hashlib
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from fastapi.templating import Jinja2Templates
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from agio.web.sessions import COOKIE

_HERE = Path(__file__).parent
STATIC = _HERE / "static"


class ImmutableFiles(StaticFiles):
    """Files whose address changes when they do, so that browsers need not ask again."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer with a file."""
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response


def serve_pages(app: FastAPI) -> None:
    """Add the page and its files to the application."""
    templates = Jinja2Templates(_HERE / "templates")
    static = f"/static/{_version()}"
    app.mount(static, ImmutableFiles(directory=STATIC))

    @app.api_route("/", methods=["GET", "HEAD"], response_class=HTMLResponse, include_in_schema=False)
    async def page(request: Request) -> Response:
        context = {"static": static, "session": COOKIE in request.cookies}
        return templates.TemplateResponse(request, "page.html", context)


def _version() -> str:
    digest = hashlib.sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            digest.update(str(path.relative_to(STATIC)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]
