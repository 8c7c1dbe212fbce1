"""What an audit found: how often each rule was checked, how often it was broken, and where."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeGuard, TypeVar

from msgspec import Struct

from agio.audit.history import Entry, Place, Read, Unreadable


class Rule(StrEnum):
    """What must hold, as a sentence."""

    READABLE = "Records follow their contract and stand under their account's key."
    ONE_OUTCOME = "Each request has exactly one outcome, and each outcome its request."
    ORDER = "Outcomes stand in the order of their requests."
    DECISION = "Deciding again gives the recorded outcome."
    ACCOUNT = "Accounts that were served exist."
    RATE = "The rate used is the one in exchange-rates."
    ZERO_SUM = "Postings sum to zero in each currency."
    POSTINGS = "Postings touch the customer's own account, the house and the outside only."
    SEQUENCE = "Sequences of an account count 1, 2, 3, …"
    BALANCES = "Balances are the fold of the postings and never negative."
    WALLETS = "Wallets equal the fold at their sequence and never go back."
    DEAD_LETTERS = "Unreadable requests are in dead-letters."


# Checked for every transaction that is folded into its account.
RULES_OF_FOLDING = (Rule.ZERO_SUM, Rule.POSTINGS, Rule.SEQUENCE, Rule.BALANCES)


class _OfAccount(Protocol):
    @property
    def account_id(self) -> str: ...


Keyed = TypeVar("Keyed", bound=_OfAccount)


class Violation(Struct, frozen=True):
    """A rule that is broken at a record."""

    rule: Rule
    where: str
    account_id: str
    transaction_id: str
    message: str


@dataclass
class Findings:
    """The tally of an audit; at most `examples_max` violations of each rule are kept, all are counted.

    `folded`: transactions applied to their accounts. `books[owner][currency]`: sum of all postings, in minor units;
    owners are `users` together, `external:card`, and so on.
    """

    settled: bool = False
    examples_max: int = 10
    requests: int = 0
    transactions: int = 0
    rejected: int = 0
    repeats: int = 0
    conflicts: int = 0
    unreadable: int = 0
    folded: int = 0
    accounts: int = 0
    wallets: int = 0
    pending: int = 0
    wallets_behind: int = 0
    checked: Counter[Rule] = field(default_factory=Counter)
    violated: Counter[Rule] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)
    books: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    @property
    def sound(self) -> bool:
        """Whether nothing is broken."""
        return not self.violated

    def readable(self, entry: Read[Keyed]) -> TypeGuard[Entry[Keyed]]:
        """Check that a record follows its contract and stands under its account's key."""
        self.checked[Rule.READABLE] += 1
        if isinstance(entry, Unreadable):
            self.blame(Rule.READABLE, entry, entry.problem)
            return False
        if entry.value.account_id != entry.key:
            self.blame(Rule.READABLE, entry, f"stands under the key {entry.key!r}")
            return False
        return True

    def blame(self, rule: Rule, at: Place | str, message: str, account_id: str = "", transaction_id: str = "") -> None:
        """Note that a rule is broken at a record, or at a place in words; whose it is is taken from the record."""
        self.violated[rule] += 1
        if self.violated[rule] > self.examples_max:
            return
        if isinstance(at, Entry):
            account_id = account_id or at.key
            transaction_id = transaction_id or getattr(at.value, "transaction_id", "")
        where = at.where if isinstance(at, Place) else at
        self.violations.append(Violation(rule, where, account_id, transaction_id, message))
