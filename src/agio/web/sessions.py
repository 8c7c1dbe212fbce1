"""Sessions: who a request comes from. The cookie holds a random token; topics and tables hold only its hash."""

import hashlib
import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from agio.contracts import topics
from agio.contracts.events import Session
from agio.web.bodies import AccountBody, LoginBody
from agio.web.clock import now_ms
from agio.web.errors import BODY_ERRORS, Code, Refusal, refuses
from agio.web.exchange import Exchange, Opened
from agio.web.limits import LOGINS_PER_IP, LOGINS_PER_USERNAME
from agio.web.opening import request_missing_account

COOKIE = "agio_session"
DURATION_S = 12 * 60 * 60

# How long an answer waits for the view to contain what it just wrote.
VIEW_TIMEOUT_S = 5.0

router = APIRouter(prefix="/api", tags=["session"])


@router.post(
    "/session",
    summary="Sign in",
    responses=refuses(*BODY_ERRORS, Code.INVALID_CREDENTIALS, Code.TOO_MANY_REQUESTS, Code.UNAVAILABLE),
)
async def sign_in(body: LoginBody, exchange: Opened, request: Request, response: Response) -> AccountBody:
    """Begin a session; the answer sets its cookie, and a session that the request had ends."""
    exchange.limits.take(LOGINS_PER_IP, client_ip(request))
    exchange.limits.take(LOGINS_PER_USERNAME, body.username)
    sign_up = exchange.view.sign_up(body.username)
    if not await exchange.passwords.verify(sign_up and sign_up.password_hash, body.password) or sign_up is None:
        raise Refusal(Code.INVALID_CREDENTIALS, "username or password is wrong")
    account = exchange.view.account(sign_up.account_id)
    assert account is not None
    await request_missing_account(exchange, account)
    await begin_session(exchange, account.account_id, request, response)
    return AccountBody.of(account)


@router.delete("/session", summary="Sign out", status_code=204, responses=refuses(Code.CROSS_SITE, Code.UNAVAILABLE))
async def sign_out(exchange: Opened, request: Request) -> Response:
    """End the session, if there is one, and remove its cookie."""
    await end_session(exchange, request)
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax", secure=request.url.scheme == "https")
    return response


async def begin_session(exchange: Exchange, account_id: str, request: Request, response: Response) -> None:
    """Make a new session and put its cookie on the response; one that the request had ends."""
    await end_session(exchange, request)
    token = secrets.token_urlsafe(32)
    session = Session(account_id, now_ms() + DURATION_S * 1000)
    position = await exchange.log.append(topics.SESSIONS, hash_of(token), session)
    await exchange.live.reached(position, VIEW_TIMEOUT_S)
    response.set_cookie(
        COOKIE,
        token,
        max_age=DURATION_S,
        path="/",
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )


async def end_session(exchange: Exchange, request: Request) -> None:
    """End the request's session, if it has one."""
    token_hash = hash_of(request.cookies.get(COOKIE, ""))
    if exchange.view.session(token_hash, now_ms()) is not None:
        position = await exchange.log.append(topics.SESSIONS, token_hash, None)
        await exchange.live.reached(position, VIEW_TIMEOUT_S)


def account_of(exchange: Exchange, request: Request) -> str | None:
    """Give the account id of the request's session; None without a session."""
    token = request.cookies.get(COOKIE)
    return exchange.view.session(hash_of(token), now_ms()) if token else None


async def signed_in(exchange: Opened, request: Request) -> str:
    """Give the account id of the request's session. Raises Refusal without a session."""
    account_id = account_of(exchange, request)
    if account_id is None:
        raise Refusal(Code.UNAUTHENTICATED, "sign in first")
    return account_id


SignedIn = Annotated[str, Depends(signed_in)]


def hash_of(token: str) -> str:
    """Give what is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def client_ip(request: Request) -> str:
    """Give the address that a request comes from; `X-Forwarded-For` is believed of a proxy on this machine only."""
    return request.client.host if request.client else "unknown"
