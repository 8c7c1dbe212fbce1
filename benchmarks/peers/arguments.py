"""The command line that all peers share, and the contracts of their records."""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

JOBS = ("fraud", "ledger", "windows", "join")
WINDOW_MS = 60_000
GRACE_MS = 10_000
FRAUD = 0.8
"""What a payment's probability of being fraud has to exceed."""

PAYMENT, REQUEST, OUTCOME, ACCOUNT, PAID = "payment", "request", "outcome", "account", "paid"


@dataclass(frozen=True)
class Arguments:
    """What a peer is told."""

    job: str
    bootstrap_servers: str
    registry: str
    application: str
    input: str
    output: str
    table: str | None
    state: Path
    variant: str

    @property
    def tuned(self) -> bool:
        """Whether to use what the library's documentation and users recommend, instead of its defaults."""
        return self.variant == "tuned"


def parse(variants: tuple[str, ...] = ("default", "tuned"), jobs: tuple[str, ...] = JOBS) -> Arguments:
    """Read the command line; the first variant is the default."""
    parser = argparse.ArgumentParser()
    parser.add_argument("job", choices=jobs)
    for name in ("bootstrap-servers", "registry", "application", "input", "output"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--table", help="topic of the table that `join` looks up")
    parser.add_argument("--state", type=Path, required=True, help="folder for state")
    parser.add_argument("--variant", choices=variants, default=variants[0])
    arguments = parser.parse_args()
    if arguments.job == "join" and arguments.table is None:
        parser.error("join needs --table")
    return Arguments(**vars(arguments))


def schema(name: str) -> Any:
    """Give a contract by its name, such as PAYMENT."""
    return json.loads(Path(__file__).with_name(f"{name}.avsc").read_text(encoding="utf-8"))
