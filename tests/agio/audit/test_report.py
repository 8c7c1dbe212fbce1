"""What an audit says, for people and for scripts."""

import json
from io import StringIO

from rich.console import Console

from agio.audit.check import check
from agio.audit.findings import Findings, Rule
from agio.audit.report import as_json, print_findings

from .histories import good_history


def corrupted() -> Findings:
    records = good_history(seed=1)
    del records.partitions[0].transactions[0]
    return check(records.history(), settled=True, examples_max=1)


def text_of(findings: Findings) -> str:
    out = StringIO()
    print_findings(findings, Console(file=out, width=160), seconds=1.25)
    return out.getvalue()


def test_json_has_everything_a_script_needs() -> None:
    findings = corrupted()
    content = json.loads(as_json(findings))
    assert content["sound"] is False
    assert content["requests"] == findings.requests
    assert set(content["rules"]) == {rule.name.lower() for rule in Rule}
    assert content["rules"]["one_outcome"]["violated"] == findings.violated[Rule.ONE_OUTCOME] > 0
    missed = next(each for each in content["violations"] if each["rule"] == "one_outcome")
    assert missed["where"].startswith("transaction-requests-0-")
    assert missed["transaction_id"]
    assert missed["message"] == "has no outcome"


def test_violations_are_printed_with_place_and_identity() -> None:
    findings = corrupted()
    text = text_of(findings)
    first = findings.violations[0]
    assert f"{first.where} {first.account_id} {first.transaction_id}: {first.message}" in text
    assert f"{findings.violated.total()} violations. Read and checked in 1.2 s." in text
    unnamed = findings.violated.total() - len(findings.violations)
    assert unnamed > 0
    assert f"… and {unnamed} more." in text


def test_a_sound_history_prints_its_books() -> None:
    findings = check(good_history(seed=1).history(), settled=True)
    text = text_of(findings)
    assert "Sound." in text
    books = {line.split()[0]: line.split() for line in text.splitlines() if line[:3] in {"EUR", "USD", "JPY"}}
    assert set(books) <= {"EUR", "USD", "JPY"}
    assert "EUR" in books
    assert all(float(book[-1]) == 0 for book in books.values())
