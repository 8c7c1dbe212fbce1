"""Server-side assignors: who should have which partition, given what everybody has now.

An assignor takes the topics of every member, in the members' order, the number of partitions of every topic, and the
present target. Each partition goes to one of the members that subscribed to its topic. Racks are not considered.
"""

from collections.abc import Callable, Mapping

from tailrace.broker.groups.consumer.assignors.range import assign_range
from tailrace.broker.groups.consumer.assignors.uniform import assign_uniformly
from tailrace.broker.groups.consumer.member import TopicPartition

Subscriptions = Mapping[str, frozenset[bytes]]
PartitionCounts = Mapping[bytes, int]
Assignments = Mapping[str, frozenset[TopicPartition]]
Assignor = Callable[[Subscriptions, PartitionCounts, Assignments], dict[str, frozenset[TopicPartition]]]

ASSIGNORS: Mapping[str, Assignor] = {"uniform": assign_uniformly, "range": assign_range}
DEFAULT_ASSIGNOR = "uniform"
