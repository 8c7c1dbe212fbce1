"""What surrounds every request: size limit, refusal of other sites' requests, security headers.

Cross-site rule: a browser that sends `Sec-Fetch-Site` must say `same-origin` or `none`; an older one must not send an
`Origin` other than our own host; a program that sends neither has no cookies to be abused.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agio.web.errors import Code, Refusal, error_response

BODY_BYTES_MAX = 64 * 1024
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)


class Guard:
    """ASGI application around another one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        answer = _with_security_headers(scope, send)
        if scope["method"] not in SAFE_METHODS and is_cross_site(headers):
            refusal = error_response(Code.CROSS_SITE, "this request came from another site's page")
            await refusal(scope, receive, answer)
        elif _declared_length(headers) > BODY_BYTES_MAX:
            await error_response(Code.BODY_TOO_LARGE, TOO_LARGE)(scope, receive, answer)
        else:
            await self._app(scope, _limited(receive), answer)


TOO_LARGE = f"the body is larger than {BODY_BYTES_MAX} bytes"


def is_cross_site(headers: Headers) -> bool:
    """Tell whether a browser sent the request on behalf of another site."""
    if site := headers.get("sec-fetch-site"):
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host")


def _declared_length(headers: Headers) -> int:
    length = headers.get("content-length", "0")
    return int(length) if length.isascii() and length.isdigit() else 0


def _limited(receive: Receive) -> Receive:
    size = 0

    async def limited() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > BODY_BYTES_MAX:
            raise Refusal(Code.BODY_TOO_LARGE, TOO_LARGE)
        return message

    return limited


def _with_security_headers(scope: Scope, send: Send) -> Send:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["content-security-policy"] = CONTENT_SECURITY_POLICY
            headers["x-content-type-options"] = "nosniff"
            headers["referrer-policy"] = "same-origin"
            headers.setdefault("cache-control", "no-store")
            if scope["scheme"] == "https":
                headers["strict-transport-security"] = "max-age=31536000"
        await send(message)

    return answer
