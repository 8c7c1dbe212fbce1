"""One account as the audit folds it, and its wallet's snapshots waiting for the fold to get there."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from agio.audit.findings import Findings, Rule
from agio.audit.history import Read
from agio.contracts.events import Wallet


class Snapshot(NamedTuple):
    """What is kept of a wallet's record: little, since there may be millions."""

    sequence: int
    balances: int
    offset: int


@dataclass(slots=True)
class AccountFold:
    """What an account's history has come to.

    `content_by_id`: fingerprint of what was first asked under each transaction id. `is_known`: the service has found
    the account once.
    """

    account_id: str
    snapshots: deque[Snapshot]
    sequence: int = 0
    balances: dict[str, int] = field(default_factory=dict)
    content_by_id: dict[str, bytes] = field(default_factory=dict)
    is_known: bool = False
    wallet_sequence: int = 0

    def compare_snapshots(self, wallets: str, findings: Findings) -> None:
        """Check the snapshots of the present sequence; call after each step. `wallets`: topic-partition, to name."""
        while self.snapshots and self.snapshots[0].sequence <= self.sequence:
            sequence, balances, offset = self.snapshots.popleft()
            self.wallet_sequence = max(self.wallet_sequence, sequence)
            findings.checked[Rule.WALLETS] += 1
            if sequence < self.sequence:
                message = f"is of sequence {sequence}, which the account never had"
            elif balances != fingerprint(self.balances):
                message = f"differs from the fold at sequence {sequence}, which is {self.balances}"
            else:
                continue
            findings.blame(Rule.WALLETS, f"{wallets}-{offset}", message, self.account_id)

    def finish(self, wallets: str, findings: Findings) -> None:
        """Check, at the end of the history, that the wallet is neither ahead of it nor, once settled, behind."""
        self.compare_snapshots(wallets, findings)
        for sequence, _, offset in self.snapshots:
            findings.checked[Rule.WALLETS] += 1
            message = f"is of sequence {sequence}, but the account's last is {self.sequence}"
            findings.blame(Rule.WALLETS, f"{wallets}-{offset}", message, self.account_id)
        if self.wallet_sequence < self.sequence and not self.snapshots:
            findings.wallets_behind += 1
            if findings.settled:
                message = f"the wallet is at sequence {self.wallet_sequence}, the account at {self.sequence}"
                findings.blame(Rule.WALLETS, wallets, message, self.account_id)


def fingerprint(balances: dict[str, int]) -> int:
    """Equal for equal balances, in this process."""
    return hash(frozenset(balances.items()))


def snapshots_by_account(wallets: Iterable[Read[Wallet]], findings: Findings) -> dict[str, deque[Snapshot]]:
    """Collect the snapshots of one partition, each account's in the order of sequences."""
    collected: dict[str, deque[Snapshot]] = {}
    for entry in wallets:
        findings.wallets += 1
        if not findings.readable(entry):
            continue
        wallet = entry.value
        snapshots = collected.setdefault(wallet.account_id, deque())
        if snapshots and wallet.sequence < snapshots[-1].sequence:
            message = f"goes back from sequence {snapshots[-1].sequence} to {wallet.sequence}"
            findings.blame(Rule.WALLETS, entry, message)
            continue
        snapshots.append(Snapshot(wallet.sequence, fingerprint(wallet.balances), entry.offset))
    return collected
