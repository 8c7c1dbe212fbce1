"""Metrics in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from tailrace.metrics.reading import Distribution, Reading

CONTENT_TYPE = CONTENT_TYPE_LATEST
_process = ProcessCollector(registry=None)


class Readings(Collector):
    """What the library asks for metrics; knows only what it was given, and this process."""

    def __init__(self, readings: Iterable[Reading]) -> None:
        self._readings = readings

    def collect(self) -> Iterator[Metric]:
        """The families of all readings, then memory, processor time and open files of the process."""
        yield from map(_family, self._readings)
        yield from _process.collect()


def exposition(readings: Iterable[Reading]) -> bytes:
    """The text for a scrape."""
    return generate_latest(Readings(readings))


def _family(reading: Reading) -> Metric:
    kinds: dict[str, Any] = {
        "counter": CounterMetricFamily,
        "gauge": GaugeMetricFamily,
        "histogram": HistogramMetricFamily,
    }
    family = kinds[reading.kind](reading.name, reading.description, labels=reading.labels)
    for labels, value in reading.rows:
        if isinstance(value, Distribution):
            buckets = [("+Inf" if bound == float("inf") else str(bound), count) for bound, count in value.buckets]
            family.add_metric(labels, buckets, value.sum)
        else:
            family.add_metric(labels, value)
    metric: Metric = family
    return metric
