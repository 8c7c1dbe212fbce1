"""A plan as text, and as a hash."""

from collections.abc import Iterable
from hashlib import sha256

from tailrace.streams.node import Node
from tailrace.streams.operators.sink import Router, Sink
from tailrace.streams.plan import Plan


def describe(plan: Plan) -> str:
    """Draw a topology as indented text, a paragraph for each sub-topology."""
    lines = [plan.application, *(f"  global table {topic}" for topic in plan.global_tables)]
    for number, sub in enumerate(plan.subtopologies):
        lines.append(f"  sub-topology {number}")
        for node in sub.nodes:
            if not node.parents:
                lines.append(f"    {node.operator.describe()}")
                lines += _below(node, 3)
    return "\n".join(lines)


def fingerprint(plan: Plan) -> str:
    """Hash the shape of a plan; see Topology.fingerprint."""
    digest = sha256(plan.application.encode())
    for topic in sorted(plan.global_tables):
        digest.update(f"global table {topic}\n".encode())
    for sub in plan.subtopologies:
        for node in sub.nodes:
            parents = [parent.name for parent in (*node.parents, *node.reads)]
            stores = [spec.name for spec in node.operator.stores]
            topics = node.operator.describe() if isinstance(node.operator, Sink | Router) else ""
            step = (sub.name, node.name, type(node.operator).__name__, parents, stores, topics)
            digest.update(f"{step}\n".encode())
    return digest.hexdigest()[:16]


def _below(node: Node, depth: int) -> Iterable[str]:
    for child in node.children:
        yield "  " * depth + "-> " + child.operator.describe()
        yield from _below(child, depth + 1)
