"""A load from beginning to end on a real broker, against an exchange that decides by the rules."""

import threading
from collections.abc import Iterator

import pytest
from typer import Typer
from typer.testing import CliRunner

from agio.contracts.events import TransactionRequest
from agio.contracts.topics import CONTRACTS, TRANSACTION_REQUESTS
from agio.load.accounts import AccountsNotOpened
from agio.load.cli import load as load_command
from agio.load.customers import customers
from agio.load.figures import Figures
from agio.load.run import Load, run
from agio.load.sender import Schedule
from tailrace.client import ensure_topics, read_to_end
from tailrace.testing.broker import BrokerProcess
from tailrace.testing.port import free_port
from tailrace.testing.registry import LocalRegistry

from .fake_exchange import FakeExchange

REFUSALS = {"INSUFFICIENT_FUNDS", "AMOUNT_PRECISION", "UNSUPPORTED_CURRENCY"}


@pytest.fixture(scope="module")
def broker() -> Iterator[BrokerProcess]:
    """A broker that may be killed, with the exchange's topics."""
    with BrokerProcess() as broker:
        ensure_topics(broker.bootstrap_servers, [contract.as_topic() for contract in CONTRACTS])
        yield broker


@pytest.fixture(scope="module")
def registry() -> LocalRegistry:
    return LocalRegistry()


def load(broker: BrokerProcess, seed: int, **schedule: float) -> Load:
    return Load(broker.bootstrap_servers, Schedule(**schedule), accounts=20, seed=seed, timeout_s=20.0)  # type: ignore[arg-type]


def requests_of(broker: BrokerProcess, registry: LocalRegistry, seed: int) -> list[TransactionRequest]:
    serde, keys = TRANSACTION_REQUESTS.serde(registry), {each.account_id.encode() for each in customers(seed, 20)}
    records = read_to_end(broker.bootstrap_servers, [TRANSACTION_REQUESTS.topic])
    return [serde.decode(record.value() or b"") for record in records if record.key() in keys]


def test_every_request_has_its_outcome(broker: BrokerProcess, registry: LocalRegistry) -> None:
    seen: list[int] = []
    with FakeExchange(broker.bootstrap_servers, registry):
        figures = run(load(broker, seed=1, transactions=2000), registry, lambda figures: seen.append(figures.answers))
    assert (figures.answers, figures.missing, figures.duplicates, figures.unsent) == (2000, 0, 0, 0)
    assert set(figures.outcomes) == {"DEPOSIT", "WITHDRAWAL", "EXCHANGE"} | REFUSALS
    refused = sum(figures.outcomes[reason] for reason in REFUSALS)
    assert 0.02 < refused / 2000 < 0.08
    latency = figures.latency_ms()
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["max"]
    assert figures.throughput > 0
    assert seen == sorted(seen)
    assert len(requests_of(broker, registry, seed=1)) == 2000


def test_the_same_seed_asks_for_the_same(broker: BrokerProcess, registry: LocalRegistry) -> None:
    with FakeExchange(broker.bootstrap_servers, registry):
        for _ in range(2):
            run(load(broker, seed=2, transactions=300), registry)
    asked = requests_of(broker, registry, seed=2)
    assert len({request.transaction_id for request in asked}) == 600
    by_account: dict[str, list[tuple[object, ...]]] = {}
    for request in asked:
        wish = (request.type, request.currency, request.amount, request.buy_currency, request.iban)
        by_account.setdefault(request.account_id, []).append(wish)
    for wishes in by_account.values():
        half = len(wishes) // 2
        assert wishes[:half] == wishes[half:]


def test_a_rate_is_kept(broker: BrokerProcess, registry: LocalRegistry) -> None:
    with FakeExchange(broker.bootstrap_servers, registry):
        figures = run(load(broker, seed=3, rate=200, duration_s=1.5), registry)
    assert 150 <= figures.answers <= 301
    assert figures.missing == 0
    gaps = {round(later - earlier, 6) for earlier, later in zip(figures.sent_at, figures.sent_at[1:], strict=False)}
    assert gaps == {0.005}


def test_a_killed_broker_costs_time_but_no_outcome(broker: BrokerProcess, registry: LocalRegistry) -> None:
    killed = threading.Event()

    def kill_in_the_middle(figures: Figures) -> None:
        if figures.answers > 500 and not killed.is_set():
            killed.set()
            broker.kill()
            broker.restart()

    with FakeExchange(broker.bootstrap_servers, registry):
        figures = run(load(broker, seed=4, rate=1000, transactions=2000), registry, kill_in_the_middle)
    assert killed.is_set()
    assert (figures.answers, figures.missing, figures.duplicates) == (2000, 0, 0)
    assert figures.latency_ms()["max"] > 100


def test_outcomes_that_do_not_come_are_missing(broker: BrokerProcess, registry: LocalRegistry) -> None:
    job = Load(broker.bootstrap_servers, Schedule(transactions=200), accounts=20, seed=5, timeout_s=1.0)
    with FakeExchange(broker.bootstrap_servers, registry, deaf_to=lambda number: number % 10 == 3):
        figures = run(job, registry)
    assert figures.missing == 20
    assert figures.answers == 180


def test_ctrl_c_ends_with_the_figures_so_far(broker: BrokerProcess, registry: LocalRegistry) -> None:
    def interrupt(figures: Figures) -> None:
        if figures.answers > 100:
            raise KeyboardInterrupt

    with FakeExchange(broker.bootstrap_servers, registry):
        figures = run(load(broker, seed=6, rate=500, duration_s=60), registry, interrupt)
    assert figures.interrupted
    assert 100 < figures.answers < 5000


def test_accounts_that_are_not_opened_are_an_error(broker: BrokerProcess, registry: LocalRegistry) -> None:
    job = Load(broker.bootstrap_servers, Schedule(transactions=1), accounts=20, seed=7, timeout_s=0.3)
    with pytest.raises(AccountsNotOpened, match=r"20 of 20 .* is the accounts service running"):
        run(job, registry)


def test_nobody_there_is_said_in_one_line() -> None:
    app = Typer()
    app.command()(load_command)
    nobody = f"http://127.0.0.1:{free_port()}"
    result = CliRunner().invoke(app, ["--schema-registry", nobody])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert nobody in result.stderr
