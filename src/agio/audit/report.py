"""Findings for people and for scripts."""

from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from agio.audit.findings import Findings, Rule
from agio.money import currencies, format_amount


def print_findings(findings: Findings, console: Console, seconds: float) -> None:
    """Print what was read, each rule with how often it was checked and broken, the violations, and the books."""
    console.print(
        f"{findings.requests:,} requests of {findings.accounts:,} accounts: {findings.transactions:,} done, "
        f"{findings.rejected:,} refused, {findings.repeats:,} repeated, {findings.unreadable:,} unreadable, "
        f"{findings.pending:,} pending; {findings.wallets:,} wallet snapshots, {findings.wallets_behind:,} behind."
    )
    console.print(_rules(findings))
    for violation in findings.violations:
        whose = " ".join(filter(None, (violation.account_id, violation.transaction_id)))
        console.print(f"{violation.where} {whose}: {violation.message}", style="red", markup=False)
    unnamed = findings.violated.total() - len(findings.violations)
    if unnamed:
        console.print(f"… and {unnamed:,} more.", style="red")
    console.print(_books(findings))
    verdict = "[green]Sound.[/green]" if findings.sound else f"[red]{findings.violated.total():,} violations.[/red]"
    console.print(f"{verdict} Read and checked in {seconds:.1f} s.")


def as_json(findings: Findings) -> str:
    """The same as JSON."""
    content: dict[str, Any] = {
        name: getattr(findings, name)
        for name in (
            "sound settled requests transactions rejected repeats conflicts unreadable accounts wallets pending "
            "wallets_behind"
        ).split()
    }
    content["rules"] = {
        rule.name.lower(): {"rule": rule.value, "checked": findings.checked[rule], "violated": findings.violated[rule]}
        for rule in Rule
    }
    content["violations"] = [
        {**msgspec.structs.asdict(violation), "rule": violation.rule.name.lower()} for violation in findings.violations
    ]
    content["books"] = {owner: dict(book) for owner, book in findings.books.items()}
    return msgspec.json.format(msgspec.json.encode(content)).decode()


def _rules(findings: Findings) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("rule")
    table.add_column("checked", justify="right")
    table.add_column("violated", justify="right")
    for rule in Rule:
        violated = findings.violated[rule]
        table.add_row(rule.value, f"{findings.checked[rule]:,}", f"{violated:,}", style="red" if violated else None)
    return table


def _books(findings: Findings) -> Table:
    """What everybody holds: in each currency it is zero together."""
    table = Table(box=None, pad_edge=False)
    table.add_column("books")
    owners = sorted(findings.books)
    for owner in [*owners, "together"]:
        table.add_column(owner, justify="right")
    known = currencies()
    for code in sorted({code for book in findings.books.values() for code in book}):
        amounts = [findings.books[owner][code] for owner in owners]
        shown = [
            format_amount(amount, known[code]) if code in known else str(amount) for amount in [*amounts, sum(amounts)]
        ]
        table.add_row(code, *shown)
    return table
