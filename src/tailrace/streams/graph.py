"""A plan as a graph of steps, topics and stores: what pictures of it are made of."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from tailrace.streams.operators.sink import Router, Sink
from tailrace.streams.operators.source import StreamSource, TableSource
from tailrace.streams.plan import Plan


class Shape(Enum):
    """What a vertex stands for."""

    TOPIC = "topic"
    STEP = "step"
    STORE = "store"


@dataclass(frozen=True)
class Vertex:
    """A topic, which is of no sub-topology, or a step or a store of the sub-topology of this number."""

    id: str
    text: str
    shape: Shape
    group: int | None = None


@dataclass(frozen=True)
class Edge:
    """Records go from one vertex to another; or, `is_lookup`, a step has a store, or looks at the table before it."""

    start: str
    end: str
    is_lookup: bool = False


@dataclass(frozen=True)
class Graph:
    """Vertices in the order in which they were described, and the edges between them."""

    vertices: list[Vertex]
    edges: list[Edge]
    groups: int


def graph_of(plan: Plan) -> Graph:
    """Make the graph of a plan. Sources and sinks are no vertices but edges from and to their topics."""
    vertices: dict[str, Vertex] = {}
    edges: dict[Edge, None] = {}
    ids: dict[int, list[str]] = {}

    def topic(name: str) -> str:
        vertices.setdefault(f"topic {name}", Vertex(f"topic {name}", name, Shape.TOPIC))
        return f"topic {name}"

    for name in plan.global_tables:
        topic(name)
    for number, sub in enumerate(plan.subtopologies):
        for node in sub.nodes:
            operator = node.operator
            if isinstance(operator, StreamSource | TableSource):
                ids[id(node)] = [topic(name) for name in operator.names]
                continue
            starts = [start for parent in node.parents for start in ids[id(parent)]]
            if isinstance(operator, Sink | Router):
                ends = [topic(name) for name in _topics(operator)]
            else:
                step = Vertex(f"{number} {node.name}", operator.describe(), Shape.STEP, number)
                vertices[step.id] = step
                ids[id(node)] = ends = [step.id]
                for spec in operator.stores:
                    store = Vertex(f"{number} store {spec.name}", spec.name, Shape.STORE, number)
                    vertices[store.id] = store
                    edges[Edge(step.id, store.id, is_lookup=True)] = None
                for read in node.reads:
                    edges |= {Edge(table, step.id, is_lookup=True): None for table in ids[id(read)]}
            edges |= {Edge(start, end): None for start in starts for end in ends}
    return Graph(list(vertices.values()), list(edges), len(plan.subtopologies))


def _topics(operator: Sink | Router) -> Iterable[str]:
    sinks = operator.sinks.values() if isinstance(operator, Router) else [operator]
    return (sink.topic if isinstance(sink.topic, str) else sink.describe().removeprefix("to ") for sink in sinks)
