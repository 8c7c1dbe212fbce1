"""Accounts that were asked for and are not there: the request is repeated, which does no harm if it was just slow."""

from contextlib import suppress

from agio.contracts import topics
from agio.contracts.events import AccountRequest
from agio.web.clock import now_ms
from agio.web.errors import Refusal
from agio.web.exchange import Exchange
from agio.web.view.queries import AccountRow

# A sign-up whose account is not there after this long has perhaps lost its request to a crash.
OVERDUE_MS = 5_000


async def request_account(exchange: Exchange, account: AccountRow) -> None:
    """Ask the account database for an account."""
    wanted = AccountRequest(
        account.account_id, account.username, account.name, account.home_currency, account.signed_up_at
    )
    await exchange.log.append(topics.ACCOUNT_REQUESTS, account.account_id, wanted)


async def request_missing_account(exchange: Exchange, account: AccountRow) -> None:
    """Ask again for an account that should be there by now."""
    if account.status is None and account.signed_up_at < now_ms() - OVERDUE_MS:
        await request_account(exchange, account)


async def tidy(exchange: Exchange) -> None:
    """Ask again for all accounts that should be there, and end the sessions that have expired."""
    with suppress(Refusal):  # the cluster went away, which was told; the next start, or sign-in, tries again
        for account in exchange.view.accounts_missing(now_ms() - OVERDUE_MS):
            await request_account(exchange, account)
        for token_hash in exchange.view.sessions_expired(now_ms()):
            await exchange.log.append(topics.SESSIONS, token_hash, None)
