"""The wallet and the rates that it is valued at."""

from fastapi import APIRouter

from agio.money import currencies
from agio.web.bodies import CurrencyBody, RateBody, WalletBody
from agio.web.errors import Code, Refusal, refuses
from agio.web.exchange import Exchange, Opened
from agio.web.sessions import SignedIn
from agio.web.view.queries import WalletRow

router = APIRouter(prefix="/api", tags=["wallet"])


@router.get("/wallet", summary="One's own wallet", responses=refuses(Code.UNAUTHENTICATED))
async def own_wallet(exchange: Opened, account_id: SignedIn) -> WalletBody:
    """Tell the balances, and what they are worth in the home currency at the latest rates."""
    return wallet_of(exchange, account_id)


@router.get("/rates", summary="Rates", responses=refuses())
async def rates(exchange: Opened) -> list[RateBody]:
    """List the latest quotes, by pair."""
    return [RateBody.of(quote) for _, quote in sorted(exchange.live.quotes.latest.items())]


@router.get("/currencies", summary="Currencies", responses=refuses())
async def supported_currencies() -> list[CurrencyBody]:
    """List the currencies that there are, by code."""
    known = currencies()
    return [CurrencyBody(code=code, name=known[code].name, exponent=known[code].exponent) for code in sorted(known)]


def wallet_of(exchange: Exchange, account_id: str) -> WalletBody:
    """Present an account's wallet; one that is not there yet is empty."""
    row = exchange.view.wallet(account_id)
    if row is None:
        account = exchange.view.account(account_id)
        if account is None:
            raise Refusal(Code.UNAUTHENTICATED, "sign in first")
        row = WalletRow(account.home_currency, 0, {})
    return WalletBody.of(row, exchange.live.quotes)
