"""Which topics the members of a group consume: the only look a broker takes into the consumers' own protocol."""

from __future__ import annotations

import struct

from tailrace.broker.groups.state import Group


def subscribed_topics(group: Group) -> set[str]:
    """Topics that some member subscribed to; members with other content count as subscribed to nothing."""
    topics: set[str] = set()
    for member in group.members.values():
        for _, metadata in member.protocols:
            topics |= _topics_in(metadata)
    return topics


def _topics_in(metadata: bytes) -> set[str]:
    """Topics of a ConsumerProtocolSubscription: version, then an array of strings."""
    topics = set()
    try:
        count = struct.unpack_from(">hi", metadata)[1]
        position = 6
        for _ in range(count):
            size = struct.unpack_from(">h", metadata, position)[0]
            if size < 0:
                return set()
            topics.add(metadata[position + 2 : position + 2 + size].decode())
            position += 2 + size
    except (struct.error, UnicodeDecodeError):
        return set()
    return topics
