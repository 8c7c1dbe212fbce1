"""The audit itself, pure: a history in, findings out."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from agio.audit.findings import RULES_OF_FOLDING, Findings, Rule
from agio.audit.history import Entry, History, Outcome, Read, Unreadable
from agio.audit.partition import PartitionAudit
from agio.contracts.events import Account, ExchangeRate, RateUsed, RequestReference
from agio.contracts.topics import EXCHANGE_RATES, TRANSACTION_REQUESTS


def check(history: History, *, settled: bool = False, examples_max: int = 10) -> Findings:
    """Check a history by every Rule.

    `settled`: nothing is under way any more, so what is pending or behind is a violation.
    """
    findings = Findings(settled, examples_max)
    statuses = _statuses(history.accounts, findings)
    dead_letters = _dead_letters(history.dead_letters)
    rates = _RatesUsed(findings)
    for partition in history.partitions:
        PartitionAudit(partition, statuses, dead_letters[partition.number], findings, rates.note).run()
    rates.compare(history.rates, history.rates_end)
    for rule in RULES_OF_FOLDING:
        findings.checked[rule] = findings.folded
    _check_books(findings)
    return findings


class _RatesUsed:
    """The rates that outcomes recorded, by where they stand in exchange-rates, each with an outcome that used it."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._used: dict[tuple[int, int], tuple[RateUsed, Entry[Outcome]]] = {}

    def note(self, answer: Entry[Outcome]) -> None:
        """Remember an outcome's rate, if it has one; those that name the same place must have seen the same there."""
        rate = answer.value.rate
        if rate is None:
            return
        self._findings.checked[Rule.RATE] += 1
        first, user = self._used.setdefault((rate.partition, rate.offset), (rate, answer))
        if first != rate:
            self._findings.blame(Rule.RATE, answer, f"used {_quote(rate)}, but {user.where} used {_quote(first)}")

    def compare(self, rates: Iterable[Read[ExchangeRate]], rates_end: dict[int, int]) -> None:
        """Compare with the topic, as far as it still holds them."""
        for entry in rates:
            used = self._used.get((entry.partition, entry.offset))
            if used is None:
                continue
            rate, answer = used
            if isinstance(entry, Unreadable):
                self._findings.blame(Rule.RATE, answer, f"used {entry.where}, which cannot be read: {entry.problem}")
            elif (held := _rate_used(entry)) != rate:
                self._findings.blame(Rule.RATE, answer, f"used {_quote(rate)}, but {entry.where} is {_quote(held)}")
        for (partition, offset), (rate, answer) in self._used.items():
            if offset >= rates_end.get(partition, 0):
                where = f"{EXCHANGE_RATES.topic}-{partition}-{offset}"
                self._findings.blame(Rule.RATE, answer, f"used {_quote(rate)} of {where}, which does not exist")


def _rate_used(entry: Entry[ExchangeRate]) -> RateUsed:
    rate = entry.value
    return RateUsed(f"{rate.base}-{rate.quote}", rate.bid, rate.ask, rate.as_of, entry.partition, entry.offset)


def _quote(rate: RateUsed) -> str:
    return f"{rate.pair} {rate.bid}/{rate.ask} as of {rate.as_of}"


def _statuses(accounts: Iterable[Read[Account]], findings: Findings) -> dict[str, frozenset[str]]:
    statuses: dict[str, frozenset[str]] = {}
    for entry in accounts:
        if findings.readable(entry):
            statuses[entry.key] = statuses.get(entry.key, frozenset()) | {entry.value.status}
    return statuses


def _dead_letters(requests: Iterable[RequestReference]) -> defaultdict[int, set[int]]:
    """Offsets of the requests that are in dead-letters, by partition."""
    offsets: defaultdict[int, set[int]] = defaultdict(set)
    for request in requests:
        if request.topic == TRANSACTION_REQUESTS.topic:
            offsets[request.partition].add(request.offset)
    return offsets


def _check_books(findings: Findings) -> None:
    """All books together are zero in each currency."""
    total: Counter[str] = Counter()
    for book in findings.books.values():
        total.update(book)
    for currency, amount in total.items():
        if amount:
            findings.blame(Rule.ZERO_SUM, "all postings", f"sum to {amount} in {currency}, expected 0")
