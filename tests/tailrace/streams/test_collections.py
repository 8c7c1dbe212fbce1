"""Python's search for garbage while an application runs: rare, and as it was before when that ends."""

import gc
import threading

import pytest

from tailrace.client import BrokerUnreachable
from tailrace.streams import StreamsConfig, Topology, run
from tailrace.streams.runtime import GC_OBJECTS


def test_an_application_that_fails_leaves_the_collector_as_it_was(monkeypatch):
    seen = []

    def unreachable(*_):
        seen.append(gc.get_threshold()[0])
        raise BrokerUnreachable("nowhere:1", 0)

    monkeypatch.setattr("tailrace.streams.planner.wait_for_topics", unreachable)
    topology = Topology("app")
    topology.stream("numbers", int).to("copies")
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    try:
        with pytest.raises(BrokerUnreachable):
            run(topology, StreamsConfig("nowhere:1", None), threading.Event())
        assert (seen, gc.get_threshold()) == ([GC_OBJECTS], (700, 10, 10))
    finally:
        gc.set_threshold(*before)
