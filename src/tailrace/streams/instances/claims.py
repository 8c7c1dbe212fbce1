"""Claims: what instances say that they have, and who has which task by that."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
from msgspec import Struct

# Name of a sub-topology, and partition number.
TaskId = tuple[str, int]

# An instance says every so often what it has, and is taken for dead when it has not for so long.
HEARTBEAT_S = 3.0
DEAD_AFTER_S = 10.0


class Claim(Struct, frozen=True, omit_defaults=True):
    """What an instance has: the tasks that it works on, and those whose state it keeps up to date.

    `address`: where it answers queries, or None. `standby`: with the number of records that each is behind, None where
    it is not known. `is_standby`: whether it would keep others.
    """

    address: str | None = None
    active: tuple[TaskId, ...] = ()
    standby: tuple[tuple[TaskId, int | None], ...] = ()
    is_standby: bool = False


@dataclass(frozen=True)
class Member:
    """An instance and its claim. `heard_at_s` is monotonic time here; `since`: the offset of the claim of each task."""

    name: str
    claim: Claim
    heard_at_s: float
    since: Mapping[TaskId, int] = field(default_factory=dict)


class Claims:
    """The latest claims, by instance; what reads them in other threads sees them before or after a change."""

    def __init__(self) -> None:
        self.members: Mapping[str, Member] = {}

    def note(self, name: str, claim: Claim | None, offset: int, now_s: float) -> None:
        """Take account of a record of the topic; None when the instance has stopped."""
        others = {other: member for other, member in self.members.items() if other != name}
        if claim is not None:
            # A heartbeat is not a new claim: it says again what somebody else may have claimed since.
            before = self.members[name].since if name in self.members else {}
            since = {task: before.get(task, offset) for task in claim.active}
            others[name] = Member(name, claim, now_s, since)
        self.members = others

    def owner(self, task: TaskId) -> Member | None:
        """Who has claimed a task last."""
        claimed = [member for member in self.members.values() if task in member.since]
        return max(claimed, key=lambda member: member.since[task], default=None)

    def live(self, now_s: float) -> list[Member]:
        """Those that were heard of not long ago, by name."""
        return [member for _, member in sorted(self.members.items()) if is_alive(member, now_s)]


def is_alive(member: Member, now_s: float) -> bool:
    """Whether an instance was heard of not long ago. One of an old log counts as heard of when the log is read."""
    return now_s - member.heard_at_s < DEAD_AFTER_S


def encoded(claim: Claim) -> bytes:
    """A claim as the value of a record."""
    return msgspec.json.encode(claim)


def decoded(data: bytes) -> Claim:
    """The claim of a record's value. Raises msgspec.DecodeError."""
    return msgspec.json.decode(data, type=Claim)
