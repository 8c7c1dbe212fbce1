"""The command `agio audit`."""

import logging
import sys
import time
from typing import Annotated

import typer


def audit(
    bootstrap_servers: Annotated[
        str, typer.Option("--bootstrap-servers", metavar="HOST:PORT", help="The Kafka cluster.")
    ] = "127.0.0.1:9092",
    schema_registry: Annotated[
        str, typer.Option("--schema-registry", metavar="URL", help="The schema registry.")
    ] = "http://127.0.0.1:8081",
    settled: Annotated[
        bool, typer.Option("--settled", help="Nothing is under way: what is pending or behind counts as violation.")
    ] = False,
    examples: Annotated[int, typer.Option(help="Violations of each rule to name.")] = 10,
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Prove from the topics that every request got one right outcome and that the books balance.

    Works while the exchange runs. Exit code 0: sound, 1: violations, 2: Kafka or the registry cannot be reached.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from agio.audit.check import check
    from agio.audit.report import as_json, print_findings
    from agio.audit.source import TopicSource
    from agio.trouble import exit_on_trouble
    from tailrace.registry.client import RegistryClient

    begun = time.monotonic()
    errors = Console(stderr=True)
    # A broker that is away shows in the outcome; librdkafka would say so many times a second.
    logging.getLogger("librdkafka").addHandler(logging.NullHandler())
    columns = TextColumn("auditing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with exit_on_trouble():
        registry = RegistryClient(schema_registry, patience_s=2.0)
        registry.wait_ready(2.0)
        with Progress(*columns, console=errors, transient=True, disable=not sys.stderr.isatty()) as progress:
            task = progress.add_task("", total=None)
            source = TopicSource(bootstrap_servers, registry, lambda count: progress.advance(task, count))
            progress.update(task, total=source.size)
            findings = check(source.history(), settled=settled, examples_max=examples)
    if json:
        typer.echo(as_json(findings))
    else:
        print_findings(findings, Console(highlight=False), time.monotonic() - begun)
    raise typer.Exit(0 if findings.sound else 1)
