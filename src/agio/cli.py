"""The `agio` command. Imports of its commands wait until they run: most processes of the exchange start here."""

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from agio.audit.cli import audit
from agio.load.cli import load

app = typer.Typer(
    help="A currency exchange made of small services that meet only in Kafka topics.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

BootstrapServers = Annotated[
    str | None,
    typer.Option("--bootstrap-servers", metavar="HOST:PORT", help="A Kafka cluster to use instead of our own broker."),
]
Brokers = Annotated[str, typer.Option("--bootstrap-servers", metavar="HOST:PORT", help="The Kafka cluster.")]
RegistryUrl = Annotated[str, typer.Option("--schema-registry", metavar="URL", help="The schema registry.")]
DataFolder = Annotated[Path, typer.Option("--data", metavar="DIR", help="Where everything that lasts is kept.")]
AccountsDb = Annotated[
    str | None,
    typer.Option(
        "--accounts-db",
        metavar="URL",
        help="The account database, such as postgresql+psycopg://user@host/name; an SQLite file if not given.",
    ),
]
Rates = Annotated[str, typer.Option(help="Where rates come from: ecb (offline), coinbase or kraken.")]


@app.command()
def up(
    data: DataFolder = Path("data"),
    port: Annotated[int, typer.Option(help="Port of the page and the HTTP API.")] = 8080,
    kafka_port: Annotated[int, typer.Option(help="Port of the embedded broker.")] = 9092,
    registry_port: Annotated[int, typer.Option(help="Port of the schema registry.")] = 8081,
    bootstrap_servers: BootstrapServers = None,
    schema_registry: Annotated[
        str | None, typer.Option(metavar="URL", help="A schema registry to use instead of our own.")
    ] = None,
    accounts_db: AccountsDb = None,
    rates: Rates = "ecb",
    monolith: Annotated[bool, typer.Option("--monolith", help="Run all services in one process.")] = False,
    instances: Annotated[
        list[str] | None,
        typer.Option(metavar="SERVICE=N", help="How many of a service to run, such as transactions=2; repeatable."),
    ] = None,
) -> None:
    """Start the exchange and keep it running until Ctrl-C."""
    from agio.trouble import exit_on_trouble
    from agio.up import Plan, run

    plan = Plan(
        data=data,
        port=port,
        kafka_port=kafka_port,
        registry_port=registry_port,
        bootstrap_servers=bootstrap_servers,
        schema_registry=schema_registry,
        accounts_db=accounts_db,
        rates=rates,
        monolith=monolith,
        instances=tuple(instances or ()),
    )
    with exit_on_trouble():
        status = run(plan)
    raise typer.Exit(status)


@app.command()
def serve(
    service: Annotated[str, typer.Argument(help="rates, accounts, transactions, wallets, web, or all.")],
    bootstrap_servers: Brokers = "127.0.0.1:9092",
    schema_registry: RegistryUrl = "http://127.0.0.1:8081",
    data: DataFolder = Path("data"),
    instance: Annotated[int, typer.Option(help="A number that no other instance of the service has.")] = 1,
    port: Annotated[int, typer.Option(help="Port of the web service.")] = 8080,
    accounts_db: AccountsDb = None,
    rates: Rates = "ecb",
) -> None:
    """Run one instance of one service until Ctrl-C."""
    from agio.services import SERVICES, run_all, run_of
    from agio.settings import Settings
    from agio.trouble import exit_on_trouble
    from tailrace.logs import configure_logs

    if service != "all" and service not in SERVICES:
        typer.echo(f"agio: there is no service {service!r}; choose one of {', '.join(SERVICES)}, or all", err=True)
        raise typer.Exit(2)
    configure_logs()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    settings = Settings(
        bootstrap_servers=bootstrap_servers,
        schema_registry=schema_registry,
        data=data,
        instance=instance,
        port=port,
        accounts_db=accounts_db,
        rates=rates,
    )
    with exit_on_trouble():
        (run_all if service == "all" else run_of(service))(settings, stop)


@app.command()
def setup(
    bootstrap_servers: Brokers = "127.0.0.1:9092", schema_registry: RegistryUrl = "http://127.0.0.1:8081"
) -> None:
    """Create the topics and register the contracts; `agio up` does it by itself."""
    from agio.setup import set_up
    from agio.trouble import exit_on_trouble
    from tailrace.logs import configure_logs

    configure_logs()
    with exit_on_trouble():
        set_up(bootstrap_servers, schema_registry)


app.command()(audit)
app.command()(load)


def main() -> None:
    """Run the command line."""
    app()
