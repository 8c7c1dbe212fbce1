"""The topics of one moment as consumer groups see them, and what members' subscriptions mean among them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from tailrace.broker.groups.consumer.member import Member


class TopicMetadata(NamedTuple):
    """What a group has to know of a topic."""

    name: str
    topic_id: bytes
    partition_count: int


class InvalidRegularExpression(Exception):
    """A regular expression is not one of RE2, which has no back-references and looks neither ahead nor behind."""


@lru_cache(maxsize=256)
def compile_regex(pattern: str) -> Any:
    """Compile a member's regular expression in Kafka's syntax. Raises InvalidRegularExpression.

    RE2, as in Kafka, takes linear time whatever the expression, so that nobody can stop the broker with one.
    """
    import re2  # few groups need it, and every start of the broker would pay for it

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        message = f"SubscribedTopicRegex `{pattern}` is not a valid regular expression: {reason}."
        raise InvalidRegularExpression(message) from None


class Metadata:
    """All topics; the matches of each regular expression are looked for once.

    A regular expression does not match what the member may not know of.
    """

    def __init__(
        self,
        topics: Iterable[TopicMetadata] = (),
        may_describe: Callable[[Member, str], bool] = lambda *_: True,
    ) -> None:
        self._may_describe = may_describe
        self.topics = {topic.name: topic for topic in topics}
        self._matches: dict[str, tuple[TopicMetadata, ...]] = {}

    def subscribed(self, member: Member) -> dict[bytes, TopicMetadata]:
        """The topics that exist of those that a member subscribed to, by id."""
        named = (self.topics[name] for name in member.subscribed_topic_names if name in self.topics)
        found = {topic.topic_id: topic for topic in named}
        if member.subscribed_topic_regex:
            matching = self._matching(member.subscribed_topic_regex)
            found.update((topic.topic_id, topic) for topic in matching if self._may_describe(member, topic.name))
        return found

    def _matching(self, pattern: str) -> tuple[TopicMetadata, ...]:
        if pattern not in self._matches:
            matches = compile_regex(pattern).fullmatch
            self._matches[pattern] = tuple(topic for name, topic in self.topics.items() if matches(name))
        return self._matches[pattern]


def fingerprint(topics: Collection[TopicMetadata]) -> bytes:
    """Eight bytes that change when the topics, their ids or their numbers of partitions do; none for no topics."""
    return blake2b(msgspec.msgpack.encode(sorted(topics)), digest_size=8).digest() if topics else b""
