"""Accounts: opening one, and seeing one's own."""

import uuid

from fastapi import APIRouter, Request, Response

from agio.contracts import topics
from agio.contracts.events import SignUp
from agio.web.bodies import AccountBody, SignUpBody
from agio.web.clock import now_ms
from agio.web.errors import BODY_ERRORS, Code, Refusal, refuses
from agio.web.exchange import Opened
from agio.web.limits import SIGN_UPS_PER_IP
from agio.web.opening import request_account
from agio.web.sessions import VIEW_TIMEOUT_S, SignedIn, begin_session, client_ip

router = APIRouter(prefix="/api", tags=["account"])


@router.post(
    "/accounts",
    summary="Open an account",
    status_code=201,
    responses=refuses(*BODY_ERRORS, Code.USERNAME_TAKEN, Code.TOO_MANY_REQUESTS, Code.UNAVAILABLE),
)
async def open_account(body: SignUpBody, exchange: Opened, request: Request, response: Response) -> AccountBody:
    """Open an account and sign in to it; the answer sets the session's cookie.

    The account is `pending` until the account database has it; until then it takes no transactions.
    """
    exchange.limits.take(SIGN_UPS_PER_IP, client_ip(request))
    if exchange.view.sign_up(body.username):
        raise _taken(body.username)
    account_id = str(uuid.uuid4())
    password_hash = await exchange.passwords.hash(body.password)
    sign_up = SignUp(body.username, account_id, body.name, body.home_currency, password_hash, now_ms())
    position = await exchange.log.append(topics.SIGN_UPS, body.username, sign_up)
    if not await exchange.live.reached(position, VIEW_TIMEOUT_S):
        raise Refusal(Code.UNAVAILABLE, "the sign-up was recorded, but not confirmed yet; try to sign in")
    account = exchange.view.account(account_id)
    if account is None:  # somebody else's sign-up stands before ours in the topic
        raise _taken(body.username)
    await request_account(exchange, account)
    await begin_session(exchange, account_id, request, response)
    return AccountBody.of(account)


@router.get("/account", summary="One's own account", responses=refuses(Code.UNAUTHENTICATED))
async def own_account(exchange: Opened, account_id: SignedIn) -> AccountBody:
    """Tell who is signed in, and whether the account is open yet."""
    account = exchange.view.account(account_id)
    if account is None:
        raise Refusal(Code.UNAUTHENTICATED, "sign in first")
    return AccountBody.of(account)


def _taken(username: str) -> Refusal:
    return Refusal(Code.USERNAME_TAKEN, f"the username {username!r} is taken")
