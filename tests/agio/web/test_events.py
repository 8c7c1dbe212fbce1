import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agio.contracts.events import ExchangeRate
from agio.web.live import CHANGES_MAX, Changes, Difference, Live
from tests.agio.web.conftest import MakePerson, Platform
from tests.agio.web.others import Others
from tests.agio.web.running import Person, WebService


def test_a_stranger_sees_the_rates_only(person: MakePerson, others: Others) -> None:
    with person().events() as events:
        first = events.until("rate")
        assert [quote["pair"] for quote in first] == ["EUR-USD"]
        others.quote("EUR", "GBP", "0.850000", "0.860000")
        (new,) = events.until("rate")
        assert (new["pair"], new["bid"], new["ask"]) == ("EUR-GBP", "0.850000", "0.860000")


def test_the_account_its_wallet_and_its_transactions_come_live(person: MakePerson, others: Others) -> None:
    ada, bob = person().with_account(), person().with_account()
    with ada.events() as events, bob.events() as his:
        assert events.until("account")["username"] == ada.username
        assert events.until("wallet")["total"]["amount"] == "0.00"
        wish = ada.submit("deposits", amount="10.00", currency="EUR").json()
        done = events.until("transaction", lambda one: one["status"] == "succeeded")
        assert (done["transaction_id"], done["amount"]) == (wish["transaction_id"], "10.00")
        assert events.until("wallet")["balances"] == [{"currency": "EUR", "amount": "10.00"}]
        bob.outcome("deposits", amount="1.00", currency="EUR")
        assert his.until("transaction")["amount"] == "1.00"


def test_the_total_moves_with_the_rates(person: MakePerson, others: Others) -> None:
    ada = person().with_account("USD")
    others.quote("EUR", "USD", "1.100000", "1.100000")
    ada.outcome("deposits", amount="10.00", currency="EUR")
    with ada.events() as events:
        assert events.until("wallet", lambda wallet: wallet["total"]["amount"] == "11.00")
        others.quote("EUR", "USD", "1.200000", "1.200000")
        moved = events.until("wallet", lambda wallet: wallet["total"]["amount"] == "12.00")
        assert moved["total"]["as_of"] == ada.get("/api/rates").json()[-1]["as_of"]


def test_an_account_becomes_active_live(person: MakePerson, others: Others) -> None:
    ada = person()
    others.holds_accounts.set()
    try:
        ada.sign_up()
        with ada.events() as events:
            assert events.until("account")["status"] == "pending"
            others.holds_accounts.clear()
            assert events.until("account")["status"] == "active"
    finally:
        others.holds_accounts.clear()


def test_the_stream_ends_with_the_session(person: MakePerson, others: Others) -> None:
    ada = person().with_account()
    with ada.events() as events:
        events.until("account")
        events.until("wallet")
        ada.delete("/api/session")
        others.quote("EUR", "USD", "1.080000", "1.090000")
        assert not [name for name, _ in events.rest() if name != "rate"]


def test_quotes_come_at_most_four_times_a_second(person: MakePerson, others: Others) -> None:
    with person().events() as events:
        events.until("rate")
        began = time.monotonic()
        for told in range(4):
            for price in range(20):
                others.quote("EUR", "JPY", f"{told + 1}{price:02}.000000", "999.000000")
            quotes = events.until("rate", ends_with(f"{told + 1}19.000000"))
            assert len(quotes) == len({quote["pair"] for quote in quotes})
        assert time.monotonic() - began > 0.6


def ends_with(bid: str) -> Callable[[Any], bool]:
    return lambda quotes: bool(quotes[-1]["bid"] == bid)


def test_streams_and_waits_end_when_the_service_stops(platform: Platform, tmp_path: Path) -> None:
    web = WebService(platform.bootstrap_servers, platform.schema_registry, tmp_path, 5).start().wait_ready()
    ada = Person(web.url).with_account()
    platform.others.holds_outcomes.set()
    try:
        wish = ada.submit("deposits", amount="1.00", currency="EUR").json()["transaction_id"]
        with ada.events() as events, ThreadPoolExecutor(1) as threads:
            events.until("rate")
            waiting = threads.submit(ada.transaction, wish, 30)
            events.until("wallet")
            assert web.stop() < 2.0
            events.rest()
            assert waiting.result()["status"] == "pending"
    finally:
        platform.others.holds_outcomes.clear()


@pytest.fixture
def live() -> Live:
    return Live()


def quote(pair: str) -> ExchangeRate:
    base, _, counter = pair.partition("-")
    return ExchangeRate(base, counter, "1.0", "1.1", 1, "test")


def test_changes_reach_those_whom_they_concern(live: Live) -> None:
    with live.watch("a", rates=True) as hers, live.watch("a") as waiting, live.watch("b") as his:
        live.apply(Changes(accounts={"a": Difference({"t1"}, wallet=True)}, quotes=[quote("EUR-USD")]))
        assert (hers.difference.transactions, hers.difference.wallet, hers.pairs) == ({"t1"}, True, {"EUR-USD"})
        assert (waiting.difference.transactions, waiting.pairs, waiting.changed.is_set()) == ({"t1"}, set(), True)
        assert not his.changed.is_set()
        assert (live.is_watched("a"), live.is_watched("c"), live.onlookers) == (True, False, 3)
    assert (live.is_watched("a"), live.onlookers) == (False, 0)


def test_a_slow_onlooker_gathers_no_endless_memory(live: Live) -> None:
    with live.watch("a") as watch:
        for number in range(CHANGES_MAX):
            live.apply(Changes(accounts={"a": Difference({f"t{number}"})}))
        assert not watch.overflown
        live.apply(Changes(accounts={"a": Difference({"one more"})}))
        assert watch.overflown
