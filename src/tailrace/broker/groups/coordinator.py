"""The coordinator of consumer groups: JoinGroup, SyncGroup, Heartbeat, LeaveGroup and their timers.

Follows Kafka's GroupCoordinator for the classic protocol, with static members (KIP-345) and member ids that are given
before the join (KIP-394). Each stable generation is recorded, so that members do not notice a restart of the broker; a
rebalance that a restart interrupts begins anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import uuid4

import structlog
from kio.schema.errors import ErrorCode

from tailrace.broker.events import GroupSettled
from tailrace.broker.groups.snapshot import GroupSnapshot
from tailrace.broker.groups.state import Group, GroupState, Joined, Member, Protocols, Synced

if TYPE_CHECKING:
    from tailrace.broker.broker import Broker

log = structlog.get_logger()


@dataclass(frozen=True)
class JoinRequest:
    """What a client asks for when it joins; `needs_known_id` from JoinGroup version 4 on."""

    group_id: str
    member_id: str
    instance_id: str | None
    client_id: str
    client_host: str
    session_timeout_ms: int
    rebalance_timeout_ms: int
    protocol_type: str
    protocols: Protocols
    needs_known_id: bool
    can_skip_assignment: bool


class GroupCoordinator:
    """All groups with members."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.groups: dict[str, Group] = {}

    def load(self, snapshots: Iterable[GroupSnapshot]) -> None:
        """Take over the groups of before a restart; their members have a whole session to be heard of."""
        for snapshot in snapshots:
            group = self.groups[snapshot.group_id] = Group.load(snapshot)
            for member in group.members.values():
                self._expect_heartbeat(member)
                self._watch_session(group, member)

    def _record_settled(self, group: Group) -> None:
        log.info("group rebalanced", group=group.group_id, generation=group.generation_id, members=len(group.members))
        self._broker.record(events=[GroupSettled(group.snapshot())])

    # -- join ----------------------------------------------------------------------------------------------------

    async def join(self, request: JoinRequest) -> Joined:
        """Join a group and wait for the end of the rebalance that this causes."""
        error = self._problem(request)
        if error is not ErrorCode.none:
            return Joined(request.member_id, error)
        if not self._broker.consumer_groups.give_way(request.group_id):
            return Joined(request.member_id, ErrorCode.inconsistent_group_protocol)
        group = self.groups.setdefault(request.group_id, Group(request.group_id))
        outcome = self._admit(group, request)
        if isinstance(outcome, Joined):
            return outcome
        member = outcome
        joining = member.joining = member.joining or asyncio.get_running_loop().create_future()
        self._try_complete_join(group)
        return await joining

    def _problem(self, request: JoinRequest) -> ErrorCode:
        config = self._broker.config
        if not request.group_id:
            return ErrorCode.invalid_group_id
        low, high = config.group_min_session_timeout_ms, config.group_max_session_timeout_ms
        if not low <= request.session_timeout_ms <= high:
            return ErrorCode.invalid_session_timeout
        group = self.groups.get(request.group_id)
        if request.member_id and group is None:
            return ErrorCode.unknown_member_id
        if not (group or Group("")).supports(request.protocol_type, request.protocols):
            return ErrorCode.inconsistent_group_protocol
        is_new = group is None or request.member_id not in group.members
        if group is not None and is_new and len(group.members) >= config.group_max_size:
            return ErrorCode.group_max_size_reached
        return ErrorCode.none

    def _admit(self, group: Group, request: JoinRequest) -> Joined | Member:
        """Make the client a member that waits for a rebalance, or answer at once."""
        if request.member_id:
            return self._admit_known(group, request)
        known_id = group.static_members.get(request.instance_id) if request.instance_id else None
        if known_id is not None:
            return self._replace_static(group, group.members[known_id], request)
        member_id = f"{request.instance_id or request.client_id}-{uuid4()}"
        if request.needs_known_id and request.instance_id is None:
            group.pending_members.add(member_id)
            asyncio.get_running_loop().call_later(
                request.session_timeout_ms / 1000, self._expire_pending, group, member_id
            )
            return Joined(member_id, ErrorCode.member_id_required)
        return self._add_member(group, member_id, request)

    def _admit_known(self, group: Group, request: JoinRequest) -> Joined | Member:
        if request.member_id in group.pending_members:
            return self._add_member(group, request.member_id, request)
        error = _identity_problem(group, request.member_id, request.instance_id)
        if error is not ErrorCode.none:
            return Joined(request.member_id, error)
        member = group.members[request.member_id]
        has_changed = member.protocols != request.protocols
        is_leader = member.member_id == group.leader_id
        if group.state is GroupState.COMPLETING_REBALANCE and not has_changed:
            return self._joined(group, member)  # the answer got lost
        if group.state is GroupState.STABLE and not has_changed and not is_leader:
            return self._joined(group, member)
        self._update(member, request)
        self._prepare_rebalance(group)
        return member

    def _add_member(self, group: Group, member_id: str, request: JoinRequest) -> Member:
        if not group.members:
            group.protocol_type = request.protocol_type
        member = Member(
            member_id,
            request.instance_id,
            request.client_id,
            request.client_host,
            request.session_timeout_ms,
            request.rebalance_timeout_ms,
            request.protocols,
        )
        group.add(member)
        self._expect_heartbeat(member)
        self._watch_session(group, member)
        self._prepare_rebalance(group)
        return member

    def _replace_static(self, group: Group, member: Member, request: JoinRequest) -> Joined | Member:
        """A static member came back without its id: it gets a new one, and whoever used the old one is fenced."""
        old_id = member.member_id
        was_leader = old_id == group.leader_id
        _dismiss(member, ErrorCode.fenced_instance_id)
        group.rename(member, f"{request.instance_id}-{uuid4()}")
        self._update(member, request)
        if group.state is not GroupState.STABLE or group.choose_protocol() != group.protocol_name:
            self._prepare_rebalance(group)
            return member
        self._record_settled(group)
        joined = self._joined(group, member)
        if was_leader and request.can_skip_assignment:
            return replace(joined, skip_assignment=True)
        # Older clients must not think that they lead: they would send assignments to a group that is stable.
        return replace(joined, members=(), leader_id=old_id) if was_leader else joined

    def _update(self, member: Member, request: JoinRequest) -> None:
        member.protocols = request.protocols
        member.session_timeout_ms = request.session_timeout_ms
        member.rebalance_timeout_ms = request.rebalance_timeout_ms
        member.client_id = request.client_id
        member.client_host = request.client_host
        self._expect_heartbeat(member)

    def _joined(self, group: Group, member: Member) -> Joined:
        is_leader = member.member_id == group.leader_id
        return Joined(
            member.member_id,
            ErrorCode.none,
            group.generation_id,
            group.protocol_type,
            group.protocol_name,
            group.leader_id or "",
            tuple(
                (other.member_id, other.instance_id, other.metadata(group.protocol_name))
                for other in group.members.values()
            )
            if is_leader
            else (),
        )

    # -- rebalance -----------------------------------------------------------------------------------------------

    def _prepare_rebalance(self, group: Group) -> None:
        if group.state is GroupState.PREPARING_REBALANCE:
            return
        if group.state is GroupState.COMPLETING_REBALANCE:
            for member in group.members.values():
                _answer_sync(member, Synced(ErrorCode.rebalance_in_progress))
        loop = asyncio.get_running_loop()
        delay_ms = self._broker.config.group_initial_rebalance_delay_ms if group.state is GroupState.EMPTY else 0
        group.move_to(GroupState.PREPARING_REBALANCE)
        group.rebalance_may_complete_at = loop.time() + delay_ms / 1000
        if delay_ms:
            loop.call_later(delay_ms / 1000, self._try_complete_join, group)
        if group.rebalance_timer is not None:
            group.rebalance_timer.cancel()
        timeout_s = max(group.rebalance_timeout_ms, delay_ms) / 1000
        group.rebalance_timer = loop.call_later(timeout_s, self._complete_join, group)

    def _try_complete_join(self, group: Group) -> None:
        """End the rebalance when everybody is here."""
        if group.state is not GroupState.PREPARING_REBALANCE or group.pending_members:
            return
        if asyncio.get_running_loop().time() < group.rebalance_may_complete_at:
            return
        if all(member.joining is not None for member in group.members.values()):
            self._complete_join(group)

    def _complete_join(self, group: Group) -> None:
        """Begin the next generation with those that joined; static members may be late."""
        if group.state is not GroupState.PREPARING_REBALANCE:
            return
        if group.rebalance_timer is not None:
            group.rebalance_timer.cancel()
            group.rebalance_timer = None
        for member in list(group.members.values()):
            if member.joining is None and member.instance_id is None:
                group.remove(member)
        leader = group.members.get(group.leader_id or "")
        if leader is not None and leader.joining is None:
            present = (m.member_id for m in group.members.values() if m.joining is not None)
            group.leader_id = next(present, group.leader_id)
        group.generation_id += 1
        if not group.members:
            group.move_to(GroupState.EMPTY)
            group.protocol_name = group.leader_id = None
            self._record_settled(group)
            return
        group.move_to(GroupState.COMPLETING_REBALANCE)
        group.protocol_name = group.choose_protocol()
        for member in group.members.values():
            self._expect_heartbeat(member)
            _answer_join(member, self._joined(group, member))

    # -- sync ----------------------------------------------------------------------------------------------------

    async def sync(
        self,
        group_id: str,
        generation_id: int,
        member_id: str,
        instance_id: str | None,
        protocol: tuple[str | None, str | None],
        assignments: dict[str, bytes],
    ) -> Synced:
        """Give the member's assignment, waiting for the leader to send it; `protocol` is type and name, if given."""
        group = self.groups.get(group_id)
        error = _membership_problem(group_id, group, member_id, instance_id, generation_id)
        if group is None or error is not ErrorCode.none:
            return Synced(error)
        expected = (group.protocol_type, group.protocol_name)
        if any(given not in (None, wanted) for given, wanted in zip(protocol, expected, strict=True)):
            return Synced(ErrorCode.inconsistent_group_protocol)
        member = group.members[member_id]
        self._expect_heartbeat(member)
        if group.state is GroupState.PREPARING_REBALANCE:
            return Synced(ErrorCode.rebalance_in_progress)
        if group.state is GroupState.COMPLETING_REBALANCE:
            if member_id == group.leader_id:
                self._assign(group, assignments)
            else:
                syncing = member.syncing = member.syncing or asyncio.get_running_loop().create_future()
                return await syncing
        return _synced(group, member)

    def _assign(self, group: Group, assignments: dict[str, bytes]) -> None:
        for member in group.members.values():
            member.assignment = assignments.get(member.member_id, b"")
            self._expect_heartbeat(member)
            _answer_sync(member, _synced(group, member))
        group.move_to(GroupState.STABLE)
        self._record_settled(group)

    # -- heartbeat and leaving -----------------------------------------------------------------------------------

    def heartbeat(self, group_id: str, generation_id: int, member_id: str, instance_id: str | None) -> ErrorCode:
        """Keep a member alive and tell it about a rebalance."""
        group = self.groups.get(group_id)
        error = _membership_problem(group_id, group, member_id, instance_id, generation_id)
        if group is None or error is not ErrorCode.none:
            return error
        self._expect_heartbeat(group.members[member_id])
        is_rebalancing = group.state is GroupState.PREPARING_REBALANCE
        return ErrorCode.rebalance_in_progress if is_rebalancing else ErrorCode.none

    def leave(self, group_id: str, member_id: str, instance_id: str | None) -> ErrorCode:
        """Remove a member; a static one may be named by its instance id alone."""
        group = self.groups.get(group_id)
        if group is None:
            return ErrorCode.unknown_member_id if group_id else ErrorCode.invalid_group_id
        if not member_id and instance_id is not None:
            member_id = group.static_members.get(instance_id, "")
        if member_id in group.pending_members:
            group.pending_members.discard(member_id)
            self._try_complete_join(group)
            return ErrorCode.none
        error = _identity_problem(group, member_id, instance_id)
        if error is ErrorCode.none:
            self._remove(group, group.members[member_id])
        return error

    def check_commit(
        self, group_id: str, generation_id: int, member_id: str, instance_id: str | None, *, transactional: bool
    ) -> ErrorCode:
        """Whether offsets may be committed: by a present member, or by anybody while the group has no members."""
        group = self.groups.get(group_id)
        if group is None or not group.members:
            if generation_id < 0:
                return ErrorCode.none
            is_known = group is not None or group_id in self._broker.state.offsets.committed
            return ErrorCode.unknown_member_id if is_known else ErrorCode.group_id_not_found
        if transactional and generation_id < 0 and not member_id and instance_id is None:
            return ErrorCode.none  # a producer that does not take part in the group; see KIP-447
        if group.state is GroupState.EMPTY and generation_id < 0:
            return ErrorCode.none
        error = _membership_problem(group_id, group, member_id, instance_id, generation_id)
        if error is not ErrorCode.none:
            return error
        if not transactional:
            self._expect_heartbeat(group.members[member_id])
        if group.state is GroupState.COMPLETING_REBALANCE and not transactional:
            return ErrorCode.rebalance_in_progress
        return ErrorCode.none

    def _remove(self, group: Group, member: Member) -> None:
        group.remove(member)
        _dismiss(member, ErrorCode.unknown_member_id)
        if group.state in (GroupState.STABLE, GroupState.COMPLETING_REBALANCE):
            self._prepare_rebalance(group)
        self._try_complete_join(group)

    # -- timers --------------------------------------------------------------------------------------------------

    def _expect_heartbeat(self, member: Member) -> None:
        member.deadline = asyncio.get_running_loop().time() + member.session_timeout_ms / 1000

    def _watch_session(self, group: Group, member: Member) -> None:
        """Look again when the session could have ended; a heartbeat only moves the deadline."""
        if group.members.get(member.member_id) is not member:
            return
        loop = asyncio.get_running_loop()
        if member.is_waiting:
            self._expect_heartbeat(member)
        if loop.time() >= member.deadline:
            log.info("group member timed out", group=group.group_id, member=member.member_id)
            self._remove(group, member)
        else:
            loop.call_at(member.deadline, self._watch_session, group, member)

    def _expire_pending(self, group: Group, member_id: str) -> None:
        if member_id in group.pending_members:
            group.pending_members.discard(member_id)
            self._try_complete_join(group)

    # -- administration ------------------------------------------------------------------------------------------

    def delete(self, group_id: str) -> ErrorCode:
        """Forget a group that has no members; its offsets are not this class's."""
        group = self.groups.get(group_id)
        if group is not None and group.members:
            return ErrorCode.non_empty_group
        if group is not None:
            group.move_to(GroupState.DEAD)
            del self.groups[group_id]
        return ErrorCode.none


def _identity_problem(group: Group, member_id: str, instance_id: str | None) -> ErrorCode:
    if instance_id is not None:
        known_id = group.static_members.get(instance_id)
        if known_id is None:
            return ErrorCode.unknown_member_id
        if known_id != member_id:
            return ErrorCode.fenced_instance_id
    return ErrorCode.none if member_id in group.members else ErrorCode.unknown_member_id


def _membership_problem(
    group_id: str, group: Group | None, member_id: str, instance_id: str | None, generation_id: int
) -> ErrorCode:
    if group is None:
        return ErrorCode.unknown_member_id if group_id else ErrorCode.invalid_group_id
    error = _identity_problem(group, member_id, instance_id)
    if error is ErrorCode.none and generation_id != group.generation_id:
        return ErrorCode.illegal_generation
    return error


def _synced(group: Group, member: Member) -> Synced:
    return Synced(ErrorCode.none, group.protocol_type, group.protocol_name, member.assignment)


def _dismiss(member: Member, error: ErrorCode) -> None:
    """Answer what is open of a member that is not one any more, or not under its old id."""
    _answer_join(member, Joined(member.member_id, error))
    _answer_sync(member, Synced(error))


def _answer_join(member: Member, joined: Joined) -> None:
    joining, member.joining = member.joining, None
    if joining is not None and not joining.done():
        joining.set_result(joined)


def _answer_sync(member: Member, synced: Synced) -> None:
    syncing, member.syncing = member.syncing, None
    if syncing is not None and not syncing.done():
        syncing.set_result(synced)
