"""The checks of one outcome against the account as folded so far."""

from collections.abc import Set

import msgspec

from agio.audit.account import AccountFold
from agio.audit.findings import Findings, Rule
from agio.audit.history import Entry, Outcome
from agio.contracts.events import (
    Account,
    RateUsed,
    Reason,
    RejectedTransaction,
    RequestReference,
    Transaction,
    TransactionRequest,
)
from agio.transactions.model import Ledger, conflict, decide

HOUSE_AND_OUTSIDE = {"house:liquidity", "external:card", "external:bank"}
# Given before the account is looked at, or because there is none.
NEEDS_NO_ACCOUNT = {Reason.INVALID_REQUEST, Reason.UNKNOWN_ACCOUNT, Reason.IDEMPOTENCY_CONFLICT}


def check_decision(
    account: AccountFold,
    request: Entry[TransactionRequest],
    answer: Entry[Outcome],
    *,
    conflicts: bool,
    findings: Findings,
) -> None:
    """Decide again. `conflicts`: the request's identity was used for another content before.

    The words of a refusal are not compared: they are for people, and later versions may say it better.
    """
    wanted, outcome = request.value, answer.value
    findings.checked[Rule.DECISION] += 1
    ledger = Ledger(account.sequence, account.balances)
    reference = RequestReference(request.topic, request.partition, request.offset)
    key = account.account_id
    expected: Outcome
    if conflicts:
        expected = conflict(ledger, wanted, reference, key, outcome.decided_at)
    else:
        expected = decide(
            ledger, wanted, reference, key, _account(key, outcome), _Quotes(outcome.rate), outcome.decided_at
        )
    if isinstance(expected, RejectedTransaction) and isinstance(outcome, RejectedTransaction):
        expected = msgspec.structs.replace(expected, message=outcome.message)
    if expected != outcome:
        findings.blame(Rule.DECISION, answer, _difference(outcome, expected))


def check_account(account: AccountFold, answer: Entry[Outcome], statuses: Set[str] | None, findings: Findings) -> None:
    """Check that an account which was served exists. `statuses`: all that it had, None without account."""
    reason = answer.value.reason if isinstance(answer.value, RejectedTransaction) else None
    if reason is Reason.UNKNOWN_ACCOUNT and account.is_known:
        findings.blame(Rule.ACCOUNT, answer, "the account is called unknown, but was known before")
    if reason in NEEDS_NO_ACCOUNT:
        return
    findings.checked[Rule.ACCOUNT] += 1
    if statuses is None and not account.is_known:
        findings.blame(Rule.ACCOUNT, answer, "there is no such account in the topic accounts")
    elif reason is Reason.ACCOUNT_CLOSED and statuses == {"active"}:
        findings.blame(Rule.ACCOUNT, answer, "the account is called closed, but is active")
    account.is_known = True


def fold(account: AccountFold, answer: Entry[Outcome], transaction: Transaction, findings: Findings) -> None:
    """Apply a transaction's postings; where it contradicts them, say so and go on from what it claims."""
    findings.folded += 1
    own = f"user:{account.account_id}"
    sums: dict[str, int] = {}
    balances = dict(account.balances)
    for posting in transaction.postings:
        owner, currency, amount = posting.account, posting.currency, posting.amount
        sums[currency] = sums.get(currency, 0) + amount
        if owner == own:
            owner = "users"
            balances[currency] = balances.get(currency, 0) + amount
        elif owner not in HOUSE_AND_OUTSIDE:
            findings.blame(Rule.POSTINGS, answer, f"posts to {owner!r}, expected {own!r}, house or outside")
        findings.books[owner][currency] += amount
    for currency, total in sums.items():
        if total:
            findings.blame(Rule.ZERO_SUM, answer, f"postings in {currency} sum to {total}, expected 0")
    if transaction.sequence != account.sequence + 1:
        message = f"has sequence {transaction.sequence}, expected {account.sequence + 1}"
        findings.blame(Rule.SEQUENCE, answer, message)
    folded = {currency: balance for currency, balance in balances.items() if balance}
    if folded != transaction.balances:
        findings.blame(Rule.BALANCES, answer, f"says {transaction.balances} after it, the fold is {folded}")
    if min(folded.values(), default=0) < 0 or min(transaction.balances.values(), default=0) < 0:
        findings.blame(Rule.BALANCES, answer, f"leaves a balance below zero: {folded}")
    account.sequence, account.balances = transaction.sequence, transaction.balances


class _Quotes:
    """The one quote that a decision recorded, found under its own pair only."""

    def __init__(self, rate: RateUsed | None) -> None:
        self._rate = rate

    def __call__(self, pair: str) -> RateUsed | None:
        return self._rate if self._rate is not None and self._rate.pair == pair else None


def _account(account_id: str, outcome: Outcome) -> Account | None:
    """The account as it must have been for such an outcome."""
    reason = outcome.reason if isinstance(outcome, RejectedTransaction) else None
    if reason is Reason.UNKNOWN_ACCOUNT:
        return None
    return Account(account_id, "", "", "", "closed" if reason is Reason.ACCOUNT_CLOSED else "active", 0)


def _difference(recorded: Outcome, expected: Outcome) -> str:
    if type(recorded) is not type(expected):
        return f"is a {_kind(recorded)}, expected a {_kind(expected)}"
    fields = [name for name in recorded.__struct_fields__ if getattr(recorded, name) != getattr(expected, name)]
    return "; ".join(f"{name} is {getattr(recorded, name)}, expected {getattr(expected, name)}" for name in fields)


def _kind(outcome: Outcome) -> str:
    if isinstance(outcome, RejectedTransaction):
        return f"rejection for {outcome.reason}"
    return f"transaction of sequence {outcome.sequence}"
