"""The command `agio load`."""

import logging
import sys
from typing import Annotated

import typer


def load(
    bootstrap_servers: Annotated[
        str, typer.Option("--bootstrap-servers", metavar="HOST:PORT", help="The Kafka cluster.")
    ] = "127.0.0.1:9092",
    schema_registry: Annotated[
        str, typer.Option("--schema-registry", metavar="URL", help="The schema registry.")
    ] = "http://127.0.0.1:8081",
    rate: Annotated[float, typer.Option(min=0, help="Requests per second; 0 is as fast as outcomes come back.")] = 0,
    transactions: Annotated[
        int | None, typer.Option(min=1, help="How many requests; 10000 unless a duration is given.")
    ] = None,
    duration: Annotated[float | None, typer.Option(min=0, metavar="SECONDS", help="How long to send.")] = None,
    accounts: Annotated[int, typer.Option(min=1, help="How many customers.")] = 100,
    seed: Annotated[int, typer.Option(help="The same seed gives the same customers and wishes.")] = 0,
    timeout: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Give up after so long without outcome.")
    ] = 60,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Send many customers' requests and measure how fast their outcomes come.

    Exit code 0: every request has one outcome, 1: some have none or two, 2: Kafka or the registry cannot be reached.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from agio.load.accounts import AccountsNotOpened
    from agio.load.figures import Figures
    from agio.load.report import as_json, print_figures
    from agio.load.run import Load, run
    from agio.load.sender import Schedule
    from agio.trouble import exit_on_trouble
    from tailrace.registry.client import RegistryClient

    if transactions is None and duration is None:
        transactions = 10_000
    schedule = Schedule(rate, transactions, duration)
    # A broker that is away shows in the outcome; librdkafka would say so many times a second.
    logging.getLogger("librdkafka").addHandler(logging.NullHandler())
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    errors = Console(stderr=True)
    with exit_on_trouble():
        registry = RegistryClient(schema_registry, patience_s=10.0)
        registry.wait_ready(2.0)
        with Progress(*columns, console=errors, transient=True, disable=not sys.stderr.isatty()) as progress:
            task = progress.add_task("opening accounts", total=transactions)

            def show(figures: Figures) -> None:
                progress.update(
                    task,
                    completed=figures.answers,
                    total=transactions or len(figures.sent_at),
                    description=f"{figures.throughput:,.0f} outcomes/s",
                )

            try:
                figures = run(Load(bootstrap_servers, schedule, accounts, seed, timeout), registry, show)
            except AccountsNotOpened as error:
                typer.echo(f"agio: {error}", err=True)
                raise typer.Exit(1) from error
    if json:
        typer.echo(as_json(figures))
    else:
        print_figures(figures, Console(highlight=False))
    if figures.interrupted:
        raise typer.Exit(130)
    raise typer.Exit(1 if figures.missing or figures.duplicates else 0)
