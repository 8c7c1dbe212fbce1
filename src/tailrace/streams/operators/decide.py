"""Decide and evolve: requests become events by a pure decision on state that is itself the fold of those events.

The events' topics are the journal of the state: there is no changelog beside them, so an event and its effect cannot
be torn apart, and the state is rebuilt by folding the journal with the same function that is used live.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from tailrace.registry.serde import MsgpackSerde
from tailrace.streams.code.code import Code
from tailrace.streams.code.flow import Flow, Forward
from tailrace.streams.record import Record
from tailrace.streams.state.store import StoreSpec

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


class _Asked(NamedTuple):
    """The variables of a request's identity, of its digest, of its key in the store, and of what that has."""

    identity: str
    digest: str
    key: str
    known: str


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

    @property
    def stores(self) -> tuple[StoreSpec, ...]:
        """See Operator."""
        states = StoreSpec(self.store, MsgpackSerde(type(self.initial)))
        # A request is hardly ever sent again.
        settled = StoreSpec(self.settled, MsgpackSerde(str), cached=False)
        return (states,) if self.identity is None else (states, settled)

    @property
    def settled(self) -> str:
        """Name of the store of settled identities."""
        return f"{self.store}-settled"

    def emit(self, code: Code, flow: Flow, forward: Forward) -> None:
        """See Operator."""
        with code.keyed(flow):
            state = code.assign("state", f"{code.store(self.store, 'get')}({flow.key_bytes})")
            with code.block(f"if {state} is None:"):
                code.line(f"{state} = {code.constant(self.initial, 'initial')}")
            asked = self._asked(code, flow)
            events, event = self._events(code, flow, state, asked), code.names.new("event")
            with code.block(f"for {event} in {events}:"):
                self._apply(code, flow, state, event, asked)
                forward(code, replace(flow, value=event, value_bytes=None))

    def fold(self, task: "Task") -> Callable[[bytes, Any], None]:
        """Make the function that applies a journal's event to the state of a key, when state is rebuilt."""
        states, evolve, initial = task.store(self.store), self.evolve, self.initial
        settled = None if self.identity is None else task.store(self.settled)
        of_event = None if self.identity is None else self.identity.of_event

        def apply(key: bytes, event: Any) -> None:
            state = states.get(key)
            states.put(key, evolve(initial if state is None else state, event))
            if settled is not None and of_event is not None and (identity := of_event(event)) is not None:
                settled.put(b"%b\0%b" % (key, identity[0].encode()), identity[1])

        return apply

    def _asked(self, code: Code, flow: Flow) -> _Asked | None:
        """Write what is known of the request's identity, if requests have one."""
        if self.identity is None:
            return None
        identity, digest = code.names.new("identity"), code.names.new("digest")
        code.line(f"{identity}, {digest} = {code.constant(self.identity.of_request, 'of_request')}({flow.value})")
        key = code.assign("settled_key", _settled_key(flow, identity))
        known = code.assign("known", f"{code.store(self.settled, 'get')}({key})")
        return _Asked(identity, digest, key, known)

    def _events(self, code: Code, flow: Flow, state: str, asked: _Asked | None) -> str:
        """Write the decision; the expression that gives its events."""
        arguments = f"{flow.key}, {state}, {flow.value}, {flow.record}"
        readers = [code.reader(table) for table in self.tables]
        decision = f"{code.constant(self.decide, 'decide')}({', '.join([arguments, *readers])})"
        if self.identity is None or asked is None:
            return decision
        events = code.names.new("events")
        with code.block(f"if {asked.known} is None:"):
            code.line(f"{events} = {decision}")
        with code.block(f"elif {asked.known} != {asked.digest}:"):
            code.line(f"{events} = {code.constant(self.identity.conflict, 'conflict')}({arguments})")
        with code.block("else:"):
            code.line(f"{events} = ()")
        return events

    def _apply(self, code: Code, flow: Flow, state: str, event: str, asked: _Asked | None) -> None:
        """Write what `fold` does, with the state at hand."""
        code.line(f"{state} = {code.constant(self.evolve, 'evolve')}({state}, {event})")
        code.line(f"{code.store(self.store, 'put')}({flow.key_bytes}, {state})")
        if self.identity is not None and asked is not None:
            settled = code.assign("settles", f"{code.constant(self.identity.of_event, 'of_event')}({event})")
            put = code.store(self.settled, "put")
            with code.block(f"if {settled} is not None:"):
                # Nearly always it is the identity that the request had, and its key need not be made again.
                key = f"{asked.key} if {settled}[0] is {asked.identity} else {_settled_key(flow, f'{settled}[0]')}"
                code.line(f"{put}({key}, {settled}[1])")

    def describe(self) -> str:
        """See Operator."""
        reads = f" reading {', '.join(self.tables)}" if self.tables else ""
        return f"decide {self.store}{reads}"


def _settled_key(flow: Flow, identity: str) -> str:
    return f"b'%b\\0%b' % ({flow.key_bytes}, {identity}.encode())"
