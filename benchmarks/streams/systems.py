"""What is compared: tailrace, the peers that this machine has, and what the client library alone does."""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import dataclass

from benchmarks.peers.arguments import JOBS
from benchmarks.peers.commands import PEERS, PythonPeer, Run


@dataclass(frozen=True)
class System:
    """Something that does jobs; `slug` is its name in those of topics. `peer` is None for tailrace.

    `is_quick`: whether there is time to give it a state of millions of keys. `is_copy`: it copies, whatever the job is.
    """

    name: str
    slug: str
    peer: str | None = None
    variant: str = ""
    is_quick: bool = False
    is_copy: bool = False
    jobs: Collection[str] = JOBS

    def argv(self, run: Run) -> list[str]:
        """The command that does a job."""
        if self.peer is None:
            return [sys.executable, "-m", "benchmarks.streams.jobs", *run.argv("default")]
        return PEERS[self.peer].argv(run, self.variant)


def systems(engine: str) -> list[System]:
    """The systems for an engine: on the embedded broker only ours, since peers are for Apache Kafka."""
    if engine == "embedded":
        return [System("tailrace, own broker", "tailrace", is_quick=True)]
    found = [System("tailrace", "tailrace", is_quick=True)]
    for name, peer in PEERS.items():
        if (reason := peer.available()) is not None:
            print(f"{name} is left out: {reason}")
            continue
        is_copy = name == "copy"
        variants = peer.variants if is_copy or not isinstance(peer, PythonPeer) else ("tuned",)
        found += [
            System(
                f"{name}, {variant}" if len(variants) > 1 else name,
                f"{name.split()[0]}-{variant}".lower(),
                name,
                variant,
                is_quick=(name, variant) == ("Kafka Streams", "tuned"),
                is_copy=is_copy,
                jobs=("fraud",) if is_copy else peer.jobs,
            )
            for variant in variants
        ]
    return found
