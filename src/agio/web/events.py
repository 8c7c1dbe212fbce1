"""Live events (server-sent events): one stream for each open page, of quotes and of the signed-in account's changes.

Nothing is queued for a slow reader: what changed is noted, and its newest state is sent when the reader takes it.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from agio.web.bodies import AccountBody, RateBody, TransactionBody, WalletBody
from agio.web.errors import Code, Refusal, refuses
from agio.web.exchange import Exchange, Opened
from agio.web.live import Difference, Watch
from agio.web.sessions import account_of
from agio.web.wallet import wallet_of

# The least time between two events of quotes, two valuations at new quotes, and two of anything.
RATES_INTERVAL_S = 0.25
VALUATION_INTERVAL_S = 0.5
INTERVAL_S = 0.02

HEARTBEAT_INTERVAL_S = 15.0

# A reader that takes nothing for so long is dropped; its page connects again by itself.
SEND_TIMEOUT_S = 10.0
STREAMS_MAX = 2000

router = APIRouter(prefix="/api", tags=["events"])


class EventStream(StreamingResponse):
    """A response that ends when its reader leaves, stalls, or is sent the last event."""

    media_type = "text/event-stream"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await send(message)

        with suppress(TimeoutError):
            await super().__call__(scope, receive, send_in_time)


@router.get(
    "/events",
    summary="Live events",
    response_class=EventStream,
    responses={
        200: {
            "description": "Events `rate` (a list of changed quotes), and with a session `transaction`, `wallet` and "
            "`account`; the data of each is JSON, as the API's other answers have it.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        **refuses(Code.UNAVAILABLE),
    },
)
async def live_events(exchange: Opened, request: Request) -> EventStream:
    """Follow the rates, and one's own account, live. The current state comes first."""
    if exchange.live.onlookers >= STREAMS_MAX:
        raise Refusal(Code.UNAVAILABLE, "too many pages follow the exchange at the moment", {"Retry-After": "10"})
    return EventStream(_stream(exchange, request))


async def _stream(exchange: Exchange, request: Request) -> AsyncIterator[str]:
    account_id = account_of(exchange, request)
    with exchange.live.watch(account_id, rates=True) as watch:
        watch.pairs.update(exchange.live.quotes.latest)
        watch.difference = Difference(wallet=True, account=True)
        news = News(exchange, account_id, watch)
        yield "retry: 1000\n\n"
        while not exchange.live.closing and not watch.overflown and account_of(exchange, request) == account_id:
            watch.changed.clear()
            if text := "".join(news.take(asyncio.get_running_loop().time())):
                yield text
                await asyncio.sleep(INTERVAL_S)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(news.due):
                    await watch.changed.wait()


class News:
    """What is to be told to one onlooker, and when. `due`: when to look again, though nothing new should happen."""

    def __init__(self, exchange: Exchange, account_id: str | None, watch: Watch) -> None:
        self.due = 0.0
        self._exchange = exchange
        self._account_id = account_id
        self._watch = watch
        self._rates_due = 0.0
        self._valuation_due: float | None = None
        self._heartbeat_due = 0.0
        self._valued_at = 0.0
        self._wallet: WalletBody | None = None

    def take(self, now: float) -> list[str]:
        """Give the events to send now."""
        events = [*self._rates(now), *(self._of_account(self._account_id, now) if self._account_id else ())]
        if not events and now >= self._heartbeat_due:
            events = [":\n\n"]
        if events:
            self._heartbeat_due = now + HEARTBEAT_INTERVAL_S
        waits = [self._heartbeat_due]
        if self._watch.pairs:
            waits.append(self._rates_due)
        if self._valuation_due is not None:
            waits.append(self._valuation_due)
        self.due = min(waits)
        return events

    def _rates(self, now: float) -> Iterable[str]:
        if not self._watch.pairs or now < self._rates_due:
            return
        latest = self._exchange.live.quotes.latest
        pairs, self._watch.pairs = sorted(self._watch.pairs), set()
        self._rates_due = now + RATES_INTERVAL_S
        self._valuation_due = self._valuation_due or self._valued_at + VALUATION_INTERVAL_S
        yield event("rate", *(RateBody.of(latest[pair]) for pair in pairs))

    def _of_account(self, account_id: str, now: float) -> Iterable[str]:
        difference, self._watch.difference = self._watch.difference, Difference()
        view = self._exchange.view
        if difference.account and (account := view.account(account_id)):
            yield event("account", AccountBody.of(account))
        for transaction_id in difference.transactions:
            if row := view.transaction(account_id, transaction_id):
                yield event("transaction", TransactionBody.of(row))
        if difference.wallet or (self._valuation_due is not None and now >= self._valuation_due):
            self._valuation_due, self._valued_at = None, now
            wallet = wallet_of(self._exchange, account_id)
            if wallet != self._wallet:
                self._wallet = wallet
                yield event("wallet", wallet)


def event(name: str, *bodies: BaseModel) -> str:
    """Write a server-sent event; `rate` carries a list, the others one body."""
    texts = [body.model_dump_json() for body in bodies]
    data = f"[{','.join(texts)}]" if name == "rate" else texts[0]
    return f"event: {name}\ndata: {data}\n\n"
