"""Topics that a pattern names: which of those that there are it means."""

from collections.abc import Collection, Iterable
from re import Pattern

from tailrace.streams.errors import TopologyError

# Topics that Kafka itself, or what belongs to it, keeps things in.
INTERNAL_PREFIX = "__"

Matches = dict[Pattern[str], tuple[str, ...]]


def is_match(pattern: Pattern[str], topic: str) -> bool:
    """Whether a pattern means a topic: all of its name, and none that is internal to Kafka."""
    return pattern.fullmatch(topic) is not None and not topic.startswith(INTERNAL_PREFIX)


def matches(application: str, patterns: Iterable[Pattern[str]], topics: Iterable[str], own: Collection[str]) -> Matches:
    """The topics that each pattern means, in order; none of the application's `own`, which it makes itself.

    Raises TopologyError when two patterns mean the same topic.
    """
    found: Matches = {}
    owners: dict[str, Pattern[str]] = {}
    candidates = sorted(set(topics) - set(own))
    for pattern in patterns:
        found[pattern] = tuple(topic for topic in candidates if is_match(pattern, topic))
        for topic in found[pattern]:
            if topic in owners:
                raise TopologyError(
                    f"{application} reads topic {topic} twice: as one like {owners[topic].pattern} and as one like "
                    f"{pattern.pattern}; use patterns of which only one means it"
                )
            owners[topic] = pattern
    return found
