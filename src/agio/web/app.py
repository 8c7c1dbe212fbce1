"""The HTTP application: which routes there are, and what surrounds them."""

from fastapi import FastAPI

from agio.web import accounts, events, health, sessions, transactions, wallet
from agio.web.errors import answer_errors
from agio.web.feed import Feed
from agio.web.log import Log
from agio.web.pages import serve_pages
from tailrace.registry.client import RegistryClient

DESCRIPTION = """\
A currency exchange. Amounts and prices are decimal numbers written as strings, times RFC 3339 in UTC.
Sign-up and sign-in set a session cookie. Every deposit, withdrawal and exchange is answered with 202 once it is
recorded; its outcome follows, by `GET /api/transactions/{transaction_id}?wait=10` or as a live event.
Whatever is refused has the body `{"error": {"code", "message"}}`.
"""


def create_api(feed: Feed, log: Log, registry: RegistryClient) -> FastAPI:
    """Make the application; it answers that it starts until `state.exchange` is set."""
    api = FastAPI(title="agio", version="1", description=DESCRIPTION, docs_url=None, redoc_url=None)
    api.state.exchange = None
    api.state.feed, api.state.log, api.state.registry = feed, log, registry
    answer_errors(api)
    for routes in (accounts, sessions, transactions, wallet, events, health):
        api.include_router(routes.router)
    serve_pages(api)
    return api
