"""The uniform assignor: all partitions together, as evenly as the subscriptions allow."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from itertools import islice

from tailrace.broker.groups.consumer.member import TopicPartition

Subscriptions = Mapping[str, frozenset[bytes]]
Shares = dict[str, set[TopicPartition]]


def assign_uniformly(
    subscriptions: Subscriptions,
    partition_counts: Mapping[bytes, int],
    present: Mapping[str, frozenset[TopicPartition]],
) -> dict[str, frozenset[TopicPartition]]:
    """Give all members that subscribed to the same about the same, with as few moves as possible."""
    topic_ids = sorted(frozenset[bytes]().union(*subscriptions.values()))
    shares: Shares = {
        member_id: {
            (topic_id, index)
            for topic_id, index in present.get(member_id, ())
            if topic_id in topics and index < partition_counts[topic_id]
        }
        for member_id, topics in sorted(subscriptions.items())
    }
    taken = set[TopicPartition]().union(*shares.values())
    everything = ((topic_id, index) for topic_id in topic_ids for index in range(partition_counts[topic_id]))
    free = [partition for partition in everything if partition not in taken]
    if len(set(subscriptions.values())) <= 1:
        _share_equally(shares, free)
    else:
        _hand_out(shares, free, subscriptions)
        _balance(shares, subscriptions)
    return {member_id: frozenset(partitions) for member_id, partitions in shares.items()}


def _share_equally(shares: Shares, free: list[TopicPartition]) -> None:
    """All may have everything: the numbers differ by one at most, and who has more now keeps the odd ones."""
    if not shares:
        return
    quota, extras = divmod(len(free) + sum(map(len, shares.values())), len(shares))
    fullest_first = sorted(shares, key=lambda member_id: -len(shares[member_id]))
    quotas = {member_id: quota + (rank < extras) for rank, member_id in enumerate(fullest_first)}
    for member_id, partitions in shares.items():
        surplus = sorted(partitions)[quotas[member_id] :]
        partitions.difference_update(surplus)
        free += surplus
    hand_out = iter(free)
    for member_id, partitions in shares.items():
        partitions.update(islice(hand_out, quotas[member_id] - len(partitions)))


def _hand_out(shares: Shares, free: Iterable[TopicPartition], subscriptions: Subscriptions) -> None:
    """Give each free partition to whoever has least of those that may have it."""
    for partition in free:
        takers = [member_id for member_id, topics in subscriptions.items() if partition[0] in topics]
        shares[min(takers, key=lambda member_id: (len(shares[member_id]), member_id))].add(partition)


def _balance(shares: Shares, subscriptions: Subscriptions) -> None:
    """Move partitions along chains of members until nobody has two more than one who could have them instead.

    A chain passes on one partition at each member, so that only the numbers at its ends change. Where no chain is left,
    no assignment is more even.
    """
    unfinished = True
    while unfinished:
        unfinished = False
        for donor in sorted(shares, key=lambda member_id: -len(shares[member_id])):
            chain = _chain_to_less(donor, shares, subscriptions)
            for giver, partition, taker in chain:
                shares[giver].remove(partition)
                shares[taker].add(partition)
            unfinished = unfinished or bool(chain)


def _chain_to_less(donor: str, shares: Shares, subscriptions: Subscriptions) -> list[tuple[str, TopicPartition, str]]:
    """The shortest chain from a member to one with at least two partitions less; empty if there is none."""
    enough = len(shares[donor]) - 2
    emptiest_first = sorted(shares, key=lambda member_id: (len(shares[member_id]), member_id))
    if len(shares[emptiest_first[0]]) > enough:
        return []
    came_by: dict[str, tuple[str, TopicPartition]] = {}
    reached = deque([donor])
    while reached:
        giver = reached.popleft()
        offers = {topic_id: (topic_id, index) for topic_id, index in sorted(shares[giver], reverse=True)}
        for taker in emptiest_first:
            common = subscriptions[taker] & offers.keys()
            if taker == donor or taker in came_by or not common:
                continue
            came_by[taker] = giver, offers[min(common)]
            if len(shares[taker]) <= enough:
                return _chain_back(taker, donor, came_by)
            reached.append(taker)
    return []


def _chain_back(
    end: str, donor: str, came_by: dict[str, tuple[str, TopicPartition]]
) -> list[tuple[str, TopicPartition, str]]:
    chain = []
    taker = end
    while taker != donor:
        giver, partition = came_by[taker]
        chain.append((giver, partition, taker))
        taker = giver
    return chain
