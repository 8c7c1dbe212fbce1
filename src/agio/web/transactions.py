"""Deposits, withdrawals and exchanges: a wish becomes a record, and its outcome is waited for in the view."""

import asyncio
import uuid
from typing import Annotated

from fastapi import APIRouter, Header, Query

from agio.contracts import topics
from agio.contracts.events import TransactionRequest, TransactionType
from agio.web.bodies import AcceptedBody, DepositBody, ExchangeBody, Status, TransactionBody, WithdrawalBody
from agio.web.card import card_of
from agio.web.clock import now_ms
from agio.web.errors import BODY_ERRORS, Code, Refusal, refuses
from agio.web.exchange import Exchange, Opened
from agio.web.limits import TRANSACTIONS_PER_ACCOUNT
from agio.web.sessions import SignedIn
from agio.web.view.queries import TransactionRow

# How long an acknowledged wish may take to show up in our own view before we answer all the same.
VIEW_TIMEOUT_S = 2.0
WAIT_MAX_S = 30

router = APIRouter(prefix="/api", tags=["transactions"])

SUBMISSION_ERRORS = refuses(
    *BODY_ERRORS,
    Code.UNAUTHENTICATED,
    Code.ACCOUNT_PENDING,
    Code.IDEMPOTENCY_CONFLICT,
    Code.TOO_MANY_REQUESTS,
    Code.UNAVAILABLE,
)

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern=r"^[ -~]+$",
        description="Requests with the same key and content are done once; with other content they are a conflict.",
    ),
]


@router.post("/deposits", summary="Deposit", status_code=202, responses=SUBMISSION_ERRORS)
async def deposit(
    body: DepositBody, exchange: Opened, account_id: SignedIn, idempotency_key: IdempotencyKey = None
) -> AcceptedBody:
    """Ask for a deposit from the account's test card."""
    wish = TransactionRequest(
        _transaction_id(account_id, idempotency_key),
        account_id,
        TransactionType.DEPOSIT,
        body.currency,
        body.amount,
        card=str(card_of(account_id)),
        requested_at=now_ms(),
    )
    return await _submit(exchange, wish)


@router.post("/withdrawals", summary="Withdraw", status_code=202, responses=SUBMISSION_ERRORS)
async def withdraw(
    body: WithdrawalBody, exchange: Opened, account_id: SignedIn, idempotency_key: IdempotencyKey = None
) -> AcceptedBody:
    """Ask for a withdrawal to a bank account."""
    wish = TransactionRequest(
        _transaction_id(account_id, idempotency_key),
        account_id,
        TransactionType.WITHDRAWAL,
        body.currency,
        body.amount,
        iban=body.iban,
        requested_at=now_ms(),
    )
    return await _submit(exchange, wish)


@router.post("/exchanges", summary="Exchange", status_code=202, responses=SUBMISSION_ERRORS)
async def exchange_currency(
    body: ExchangeBody, exchange: Opened, account_id: SignedIn, idempotency_key: IdempotencyKey = None
) -> AcceptedBody:
    """Ask for an exchange at the rate of the moment when it is decided."""
    wish = TransactionRequest(
        _transaction_id(account_id, idempotency_key),
        account_id,
        TransactionType.EXCHANGE,
        body.sell,
        body.sell_amount,
        buy_currency=body.buy,
        min_buy_amount=body.min_buy_amount,
        requested_at=now_ms(),
    )
    return await _submit(exchange, wish)


@router.get(
    "/transactions",
    summary="One's own transactions",
    responses=refuses(Code.UNAUTHENTICATED, Code.NOT_FOUND, Code.INVALID_REQUEST),
)
async def own_transactions(
    exchange: Opened,
    account_id: SignedIn,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Annotated[str | None, Query(description="Id of the transaction to go on from (exclusive).")] = None,
) -> list[TransactionBody]:
    """List transactions, those asked for last first."""
    position = None if before is None else _found(exchange, account_id, before).position
    return [TransactionBody.of(row) for row in exchange.view.transactions(account_id, limit, position)]


@router.get(
    "/transactions/{transaction_id}",
    summary="A transaction",
    responses=refuses(Code.UNAUTHENTICATED, Code.NOT_FOUND, Code.INVALID_REQUEST),
)
async def own_transaction(
    transaction_id: str,
    exchange: Opened,
    account_id: SignedIn,
    wait: Annotated[float, Query(ge=0, le=WAIT_MAX_S, description="Seconds to wait for the outcome.")] = 0,
) -> TransactionBody:
    """Tell what was asked for and what became of it; with `wait`, as soon as it is decided."""
    deadline = asyncio.get_running_loop().time() + wait
    with exchange.live.watch(account_id) as watch:
        while (row := _found(exchange, account_id, transaction_id)).status == "pending" and not exchange.live.closing:
            watch.changed.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await watch.changed.wait()
            except TimeoutError:
                break
    return TransactionBody.of(row)


async def _submit(exchange: Exchange, wish: TransactionRequest) -> AcceptedBody:
    """Record a wish, unless the same one was recorded before, and say how it stands."""
    exchange.limits.take(TRANSACTIONS_PER_ACCOUNT, wish.account_id)
    account = exchange.view.account(wish.account_id)
    if account is None or account.status is None:
        raise Refusal(Code.ACCOUNT_PENDING, "the account is being opened; try again in a moment", {"Retry-After": "1"})
    async with exchange.turns.setdefault(wish.transaction_id, asyncio.Lock()):
        row = exchange.view.transaction(wish.account_id, wish.transaction_id)
        if row is None:
            position = await exchange.log.append(topics.TRANSACTION_REQUESTS, wish.account_id, wish)
            await exchange.live.reached(position, VIEW_TIMEOUT_S)
            row = exchange.view.transaction(wish.account_id, wish.transaction_id)
        if row is not None and _differs(row, wish):
            raise Refusal(Code.IDEMPOTENCY_CONFLICT, "this Idempotency-Key was used for another request before")
    return AcceptedBody(transaction_id=wish.transaction_id, status=Status(row.status) if row else Status.PENDING)


def _transaction_id(account_id: str, idempotency_key: str | None) -> str:
    return str(uuid.uuid4() if idempotency_key is None else uuid.uuid5(uuid.UUID(account_id), idempotency_key))


def _found(exchange: Exchange, account_id: str, transaction_id: str) -> TransactionRow:
    row = exchange.view.transaction(account_id, transaction_id)
    if row is None:
        raise Refusal(Code.NOT_FOUND, f"there is no transaction {transaction_id!r}")
    return row


def _differs(row: TransactionRow, wish: TransactionRequest) -> bool:
    """Tell whether a wish is not the one that was recorded; an outcome whose request was not read yet says nothing."""
    recorded = (row.type, row.currency, row.amount, row.buy_currency, row.min_buy_amount, row.iban)
    wanted = (wish.type, wish.currency, wish.amount, wish.buy_currency, wish.min_buy_amount, wish.iban)
    return row.amount is not None and recorded != wanted
