"""Restoring: each task has all of a topic that it is the fold of, and no more, whoever else has the same topic."""

import pytest

from tailrace.client import Topic, ensure_topics, producer
from tailrace.streams.plan import Plan
from tailrace.streams.restore import restore
from tailrace.streams.state.backend import MemoryBackend
from tailrace.streams.task import Task
from tests.tailrace.streams import sums
from tests.tailrace.streams.sums import Added, PackSerde


@pytest.mark.parametrize("order", [list, reversed])
def test_a_journal_that_is_also_a_table_is_folded_into_both(broker, unique, order):
    name = unique("both")
    topology = sums.topology(name, f"{name}-")
    added = f"{name}-added"
    topology.table(added, PackSerde(Added)).to_stream().to(f"{name}-copies", PackSerde(Added))
    subtopologies = Plan(topology).subtopologies
    tasks = [Task(sub, 0, MemoryBackend(), [], {}) for sub in subtopologies]
    deciding, copying = sorted(tasks, key=lambda task: added in task.consumed)
    ensure_topics(broker.bootstrap_servers, [Topic(each) for each in (added, f"{name}-refused")])
    sender = producer(broker.bootstrap_servers)
    for key in "abc":
        sender.produce(added, PackSerde(Added).encode(Added(key, 5, 5, 1)), key=key)
    sender.flush(60)
    # The table was processed as far as its first record.
    committed = {(f"{name}-additions", 0): 0, (added, 0): 1}
    positions = restore(order(tasks), committed, broker.bootstrap_servers, name, lambda: False)
    assert positions == {(added, 0): 1, (f"{name}-refused", 0): 0}
    assert deciding.folded[added] == 3
    assert [deciding.store("sums").get(key).total for key in (b"a", b"b", b"c")] == [5, 5, 5]
    assert copying.folded[added] == 1
    assert [copying.table(added).get(key) is not None for key in "abc"] == [True, False, False]
