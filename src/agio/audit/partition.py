"""The audit of one partition: joins requests with outcomes, and has each outcome checked on its account's fold."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from hashlib import blake2b

import msgspec

from agio.audit.account import AccountFold, snapshots_by_account
from agio.audit.decision import check_account, check_decision, fold
from agio.audit.findings import Findings, Rule
from agio.audit.history import Entry, Outcome, PartitionHistory, Place, Read, Unreadable
from agio.audit.join import join
from agio.contracts.events import Transaction, TransactionRequest
from agio.contracts.topics import TRANSACTION_REQUESTS, WALLETS


class PartitionAudit:
    """Checks one partition; `run` it once.

    `statuses[account_id]`: those that the account had. `dead_letters`: offsets of requests. `note_rate`: is told each
    outcome.
    """

    def __init__(
        self,
        history: PartitionHistory,
        statuses: Mapping[str, Set[str]],
        dead_letters: Set[int],
        findings: Findings,
        note_rate: Callable[[Entry[Outcome]], None],
    ) -> None:
        self._history = history
        self._statuses = statuses
        self._dead_letters = dead_letters
        self._findings = findings
        self._note_rate = note_rate
        self._wallets = f"{WALLETS.topic}-{history.number}"
        self._snapshots = snapshots_by_account(history.wallets, findings)
        self._accounts: dict[str, AccountFold] = {}
        # Without outcome, since the last outcome that proves those before it visible.
        self._open: list[Read[TransactionRequest]] = []

    def run(self) -> None:
        """Read everything, check everything."""
        outcomes = self._sound(self._history.transactions), self._sound(self._history.rejected)
        for request, answers in join(self._history.requests, *outcomes):
            if request is None:
                self._blame_phantom(answers[0])
            else:
                self._check(request, answers)
        if self._findings.settled:
            self._blame_open()
        self._findings.pending += len(self._open)
        for account_id in list(self._snapshots):
            self._account(account_id)
        for account in self._accounts.values():
            account.finish(self._wallets, self._findings)
        self._findings.accounts += len(self._accounts)

    def _sound(self, outcomes: Iterable[Read[Outcome]]) -> Iterator[Entry[Outcome]]:
        """Pass the outcomes that can be joined; check their contract and order."""
        last = -1
        for entry in outcomes:
            if not self._findings.readable(entry):
                continue
            if isinstance(entry.value, Transaction):
                self._findings.transactions += 1
            else:
                self._findings.rejected += 1
            reference = entry.value.request
            if (reference.topic, reference.partition) != (TRANSACTION_REQUESTS.topic, self._history.number):
                self._blame_phantom(entry)
                continue
            self._findings.checked[Rule.ORDER] += 1
            if reference.offset <= last:
                message = f"answers request {reference.offset}, the outcome before it answers {last}"
                self._findings.blame(Rule.ORDER, entry, message)
            last = reference.offset
            yield entry

    def _check(self, entry: Read[TransactionRequest], answers: list[Entry[Outcome]]) -> None:
        findings = self._findings
        findings.requests += 1
        findings.checked[Rule.ONE_OUTCOME] += 1
        if any(answer.offset < self._history.answered_to[answer.topic] for answer in answers):
            self._blame_open()
        if isinstance(entry, Unreadable):
            self._check_unreadable(entry, answers)
            return
        account = self._account(entry.key)
        content = _content(entry.value)
        first_content = account.content_by_id.setdefault(entry.value.transaction_id, content)
        if first_content is not content and first_content == content:
            findings.repeats += 1
            self._blame_surplus(entry, answers, "which only repeats an earlier request")
            return
        self._blame_surplus(entry, answers[1:], "which has an outcome already")
        if not answers:
            self._open.append(entry)
            return
        if entry.offset in self._dead_letters:
            findings.blame(Rule.ONE_OUTCOME, entry, "has an outcome and is in dead-letters")
        conflicts = first_content != content
        findings.conflicts += conflicts
        self._check_outcome(account, entry, answers[0], conflicts)

    def _check_outcome(
        self, account: AccountFold, request: Entry[TransactionRequest], answer: Entry[Outcome], conflicts: bool
    ) -> None:
        findings = self._findings
        check_decision(account, request, answer, conflicts=conflicts, findings=findings)
        check_account(account, answer, self._statuses.get(account.account_id), findings)
        self._note_rate(answer)
        if isinstance(answer.value, Transaction):
            fold(account, answer, answer.value, findings)
            account.compare_snapshots(self._wallets, findings)

    def _check_unreadable(self, entry: Unreadable, answers: list[Entry[Outcome]]) -> None:
        self._findings.unreadable += 1
        self._findings.checked[Rule.DEAD_LETTERS] += 1
        self._blame_surplus(entry, answers, "which cannot be read")
        if entry.offset not in self._dead_letters:
            self._open.append(entry)

    def _blame_open(self) -> None:
        for entry in self._open:
            if isinstance(entry, Unreadable):
                self._findings.blame(Rule.DEAD_LETTERS, entry, f"is in no dead letter, but unreadable: {entry.problem}")
            elif entry.offset in self._dead_letters:
                self._findings.blame(Rule.ONE_OUTCOME, entry, "has no outcome, and is in dead-letters though readable")
            else:
                self._findings.blame(Rule.ONE_OUTCOME, entry, "has no outcome")
        self._open.clear()

    def _blame_surplus(self, request: Place, answers: list[Entry[Outcome]], why: str) -> None:
        for answer in answers:
            self._findings.blame(Rule.ONE_OUTCOME, answer, f"answers {request.where}, {why}")

    def _blame_phantom(self, answer: Entry[Outcome]) -> None:
        named = answer.value.request
        where = f"{named.topic}-{named.partition}-{named.offset}"
        message = f"answers {where}: no such request in this partition, or far out of place"
        self._findings.blame(Rule.ONE_OUTCOME, answer, message)

    def _account(self, account_id: str) -> AccountFold:
        account = self._accounts.get(account_id)
        if account is None:
            account = AccountFold(account_id, self._snapshots.pop(account_id, deque()))
            account.compare_snapshots(self._wallets, self._findings)
            self._accounts[account_id] = account
        return account


def _content(request: TransactionRequest) -> bytes:
    """Fingerprint of what is asked for; the card and the time may differ when it is sent again."""
    bare = msgspec.structs.replace(request, card=None, requested_at=0)
    return blake2b(msgspec.msgpack.encode(bare), digest_size=16).digest()
