"""A group with its members as the journal and checkpoints store it, so that a restart does not disturb consumers."""

from __future__ import annotations

import msgspec


class MemberSnapshot(msgspec.Struct, array_like=True, frozen=True):
    """A member with its assignment; `protocols` are names with metadata."""

    member_id: str
    instance_id: str | None
    client_id: str
    client_host: str
    session_timeout_ms: int
    rebalance_timeout_ms: int
    protocols: tuple[tuple[str, bytes], ...]
    assignment: bytes


class GroupSnapshot(msgspec.Struct, array_like=True, frozen=True):
    """A stable generation of a group, or an empty one without members."""

    group_id: str
    generation_id: int
    protocol_type: str | None
    protocol_name: str | None
    leader_id: str | None
    members: tuple[MemberSnapshot, ...]
