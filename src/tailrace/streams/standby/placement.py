"""Placement: which instances are to keep the state of a task up to date."""

from collections.abc import Callable, Collection, Iterable
from hashlib import blake2b

from tailrace.streams.instances.claims import TaskId


def standbys_of(task: TaskId, owner: str, candidates: Iterable[str], replicas: int) -> list[str]:
    """The names of so many of the candidates, without the owner, the first choice first.

    By rendezvous hashing: all instances come to the same result without asking each other, and when one comes or goes,
    only what it gets or had moves.
    """
    others = {name for name in candidates if name != owner}
    return sorted(others, key=lambda name: (_weight(task, name), name), reverse=True)[:replicas]


def standbys_for(
    name: str,
    tasks: Iterable[TaskId],
    owner: Callable[[TaskId], str | None],
    candidates: Collection[str],
    replicas: int,
    kept: Collection[TaskId],
) -> list[TaskId]:
    """Those of the tasks whose state an instance should keep up to date.

    A task that nobody has, or that has been claimed for this one, is on its way: what is `kept` of those stays.
    """
    wanted = []
    for task in tasks:
        has = owner(task)
        if has is None or has == name:
            is_wanted = task in kept
        else:
            is_wanted = name in standbys_of(task, has, candidates, replicas)
        if is_wanted:
            wanted.append(task)
    return wanted


def _weight(task: TaskId, name: str) -> bytes:
    return blake2b(f"{task[0]}\0{task[1]}\0{name}".encode(), digest_size=8).digest()
