"""Metrics as Prometheus reads them."""

from __future__ import annotations

import httpx
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families


class Scrape:
    """The metrics of a process at one moment; `prefix` is what the names of interest begin with."""

    def __init__(self, text: str, prefix: str) -> None:
        self._prefix = prefix
        self.metrics: dict[str, Metric] = {m.name: m for m in text_string_to_metric_families(text)}

    @classmethod
    def of(cls, address: str, prefix: str) -> Scrape:
        answer = httpx.get(f"http://{address}/metrics")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain; version=")
        return cls(answer.text, prefix)

    def value(self, sample: str, **labels: str) -> float:
        """The one sample of that name and labels."""
        found = self.values(sample, **labels)
        assert len(found) == 1, f"{len(found)} samples are called {sample} with {labels}"
        return found[0]

    def total(self, sample: str, **labels: str) -> float:
        """The sum of the samples of that name which have at least these labels."""
        return sum(self.all(sample, **labels))

    def all(self, sample: str, **labels: str) -> list[float]:
        """The samples of that name which have at least these labels."""
        return [each.value for each in self._samples(sample) if labels.items() <= each.labels.items()]

    def values(self, sample: str, **labels: str) -> list[float]:
        """The samples of that name and labels."""
        return [each.value for each in self._samples(sample) if each.labels == labels]

    def _samples(self, sample: str):
        return [e for metric in self.metrics.values() for e in metric.samples if e.name == self._prefix + sample]
