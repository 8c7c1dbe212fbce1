"""Taking partitions over: the committed offsets are waited for while nobody can tell them."""

import pytest
from confluent_kafka import KafkaError, KafkaException

from tailrace.client.passing import PASSING
from tailrace.streams import Topology
from tailrace.streams.assignment import Assignment
from tailrace.streams.plan import Plan


class Asked:
    """A consumer that is asked for committed offsets: it has none, after some errors."""

    def __init__(self, *codes):
        self.codes = list(codes)

    def committed(self, partitions, timeout):
        if self.codes:
            raise KafkaException(KafkaError(self.codes.pop()))
        return partitions


def taken_over(asked, *, stopped=False):
    topology = Topology("app")
    topology.stream("lines", str).to("copies")
    assignment = Assignment(Plan(topology), {"lines": 1}, "127.0.0.1:1", None, None, lambda: stopped)
    return assignment.open(asked, [])


@pytest.mark.parametrize("code", sorted(PASSING))
def test_committed_offsets_are_asked_for_again_after_what_passes(code):
    asked = Asked(code, code)
    assert taken_over(asked) == []
    assert not asked.codes


def test_other_errors_are_raised():
    with pytest.raises(KafkaException, match="authorization"):
        taken_over(Asked(KafkaError.GROUP_AUTHORIZATION_FAILED))


def test_who_is_told_to_stop_does_not_wait():
    with pytest.raises(KafkaException, match="Timed out"):
        taken_over(Asked(KafkaError._TIMED_OUT), stopped=True)
