"""The figures of a load: what came back, how fast, and what did not."""

from array import array
from collections import Counter
from dataclasses import dataclass, field
from math import ceil


@dataclass
class Figures:
    """Counts and latencies while they come in.

    `sent_at` and `answered` by number of the request; times in seconds on one clock. A request's time is that for
    which it was scheduled: waiting for its turn is latency too.
    """

    sent_at: "array[float]" = field(default_factory=lambda: array("d"))
    answered: bytearray = field(default_factory=bytearray)
    latencies: "array[float]" = field(default_factory=lambda: array("d"))
    outcomes: Counter[str] = field(default_factory=Counter)
    answers: int = 0
    duplicates: int = 0
    unsent: int = 0
    interrupted: bool = False
    last_answer_at: float = 0.0

    def sent(self, at: float) -> None:
        """Note that the next request goes out."""
        self.answered.append(0)
        self.sent_at.append(at)

    def answer(self, number: int, outcome: str, at: float) -> None:
        """Note an outcome, of a type or for a reason."""
        if self.answered[number]:
            self.duplicates += 1
            return
        self.answered[number] = 1
        self.answers += 1
        self.outcomes[outcome] += 1
        self.latencies.append(at - self.sent_at[number])
        self.last_answer_at = at

    @property
    def missing(self) -> int:
        """How many requests have no outcome."""
        return len(self.sent_at) - self.answers

    @property
    def seconds(self) -> float:
        """From the first request to the last outcome."""
        return self.last_answer_at - self.sent_at[0] if self.answers else 0.0

    @property
    def throughput(self) -> float:
        """Outcomes per second."""
        return self.answers / self.seconds if self.seconds else 0.0

    def latency_ms(self) -> dict[str, float]:
        """Percentiles of the time from request to outcome."""
        ordered = sorted(self.latencies)
        if not ordered:
            return {}
        ranks = {"p50": 0.50, "p90": 0.90, "p99": 0.99, "max": 1.0}
        return {name: round(1000 * ordered[ceil(share * len(ordered)) - 1], 2) for name, share in ranks.items()}
