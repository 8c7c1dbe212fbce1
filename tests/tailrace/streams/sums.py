"""A small topology for tests: requests to add to a key's sum, which must not fall below zero."""

from dataclasses import dataclass

from msgspec import MsgspecError, Struct, msgpack

from tailrace.registry.errors import SerdeError
from tailrace.streams import Identity, OnError, Topology


class Add(Struct, frozen=True):
    id: str
    amount: int


class Added(Struct, frozen=True):
    id: str
    amount: int
    total: int
    number: int


class Refused(Struct, frozen=True):
    id: str
    amount: int
    why: str


class Sum(Struct, frozen=True):
    total: int = 0
    number: int = 0


@dataclass
class PackSerde:
    """A serde of one Struct class."""

    kind: type

    def encode(self, value):
        return msgpack.encode(value)

    def decode(self, data):
        try:
            return msgpack.decode(data, type=self.kind)
        except MsgspecError as error:
            raise SerdeError(str(error)) from error


def decide(key, state, request, record):
    if state.total + request.amount < 0:
        return (Refused(request.id, request.amount, "below zero"),)
    return (Added(request.id, request.amount, state.total + request.amount, state.number + 1),)


def evolve(state, event):
    return Sum(event.total, event.number) if isinstance(event, Added) else state


def conflict(key, state, request, record):
    return (Refused(request.id, request.amount, "conflict"),)


def of_event(event):
    if isinstance(event, Refused) and event.why == "conflict":
        return None
    return event.id, str(event.amount)


def topology(name="sums", prefix=""):
    topology = Topology(name, on_unreadable=OnError.DEAD_LETTER)
    topology.stream(f"{prefix}additions", PackSerde(Add)).decide(
        "sums",
        decide,
        evolve,
        initial=Sum(),
        identity=Identity(lambda request: (request.id, str(request.amount)), of_event, conflict),
    ).route({Added: (f"{prefix}added", PackSerde(Added)), Refused: (f"{prefix}refused", PackSerde(Refused))})
    return topology
