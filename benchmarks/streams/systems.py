"""What is compared: tailrace, and the peers that this machine has."""

import sys
from collections.abc import Collection
from dataclasses import dataclass

ALL = ("fraud", "ledger", "windows", "join")


@dataclass(frozen=True)
class System:
    """Something that does jobs; `slug` is its name in those of topics. It is started by `argv`, a job and options.

    `is_quick`: whether there is time to give it a state of millions of keys.
    """

    name: str
    slug: str
    argv: tuple[str, ...]
    options: tuple[str, ...] = ()
    jobs: Collection[str] = ALL
    is_quick: bool = False


def systems(engine: str) -> list[System]:
    """The systems for an engine: on the embedded broker only ours, since peers are for Apache Kafka."""
    name = "tailrace" if engine == "apache" else "tailrace, own broker"
    return [System(name, "tailrace", (sys.executable, "-m", "benchmarks.streams.jobs"), is_quick=True)]
