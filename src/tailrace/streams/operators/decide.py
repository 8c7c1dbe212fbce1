"""Decide and evolve: requests become events by a pure decision on state that is itself the fold of those events.

The events' topics are the journal of the state: there is no changelog beside them, so an event and its effect cannot
be torn apart, and the state is rebuilt by folding the journal with the same function that is used live.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tailrace.streams.record import Process, Record
from tailrace.streams.state.table import TableReader

if TYPE_CHECKING:
    from tailrace.streams.task import Task


@dataclass(frozen=True)
class Identity:
    """How a request is known again, so that it takes effect once however often it is sent.

    `of_request` and `of_event` give a request's identity within its key and the digest of its content; `of_event` gives
    None for an event that does not settle an identity. `conflict` makes the events for a request that has the identity
    of an earlier one but another content. A repeated request with the same content makes no event: its answer stands.
    """

    of_request: Callable[[Any], tuple[str, str]]
    of_event: Callable[[Any], tuple[str, str] | None]
    conflict: Callable[[str, Any, Any, Record], Iterable[Any]]


@dataclass(frozen=True, eq=False)
class Decide:
    """Turns each request into events: `decide(key, state, request, record, *tables)`, folded by `evolve(state, event)`.

    `store` names the state. It is kept per key as the type of `initial`, encoded with msgpack. Events of one key have
    to give the same state in whatever order their topics are folded, each topic in its own order.
    """

    store: str
    decide: Callable[..., Iterable[Any]]
    evolve: Callable[[Any, Any], Any]
    initial: Any
    identity: Identity | None
    tables: Sequence[str]

    def bind(self, task: "Task", forward: Process) -> Process:
        """See Operator."""
        states, decide, apply, initial = task.store(self.store), self.decide, self.fold(task), self.initial
        readers: list[TableReader[Any]] = [task.reader(table) for table in self.tables]

        def process(key: str, request: Any, record: Record) -> None:
            state = states.get(key)
            for event in decide(key, initial if state is None else state, request, record, *readers):
                apply(key, event)
                forward(key, event, record)

        return process if self.identity is None else self._once(self.identity, task, process, forward)

    def fold(self, task: "Task") -> Callable[[str, Any], None]:
        """Make the function that applies an event of a key to the task's state, live and on replay alike."""
        states, evolve, initial = task.store(self.store), self.evolve, self.initial
        if self.identity is None:

            def apply(key: str, event: Any) -> None:
                state = states.get(key)
                states.put(key, evolve(initial if state is None else state, event))

            return apply
        settled, of_event = task.store(self.settled), self.identity.of_event

        def apply_and_settle(key: str, event: Any) -> None:
            state = states.get(key)
            states.put(key, evolve(initial if state is None else state, event))
            identity = of_event(event)
            if identity is not None:
                settled.put(f"{key}\0{identity[0]}", identity[1])

        return apply_and_settle

    def _once(self, identity: Identity, task: "Task", process: Process, forward: Process) -> Process:
        settled, states, initial = task.store(self.settled), task.store(self.store), self.initial
        of_request, conflict, apply = identity.of_request, identity.conflict, self.fold(task)

        def process_once(key: str, request: Any, record: Record) -> None:
            name, digest = of_request(request)
            known = settled.get(f"{key}\0{name}")
            if known is None:
                process(key, request, record)
            elif known != digest:
                state = states.get(key)
                for event in conflict(key, initial if state is None else state, request, record):
                    apply(key, event)
                    forward(key, event, record)

        return process_once

    @property
    def settled(self) -> str:
        """Name of the store of settled identities."""
        return f"{self.store}-settled"

    def describe(self) -> str:
        """See Operator."""
        reads = f" reading {', '.join(self.tables)}" if self.tables else ""
        return f"decide {self.store}{reads}"
