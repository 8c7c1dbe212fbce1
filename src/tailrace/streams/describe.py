"""A plan as text."""

from collections.abc import Iterable

from tailrace.streams.node import Node
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


def _below(node: Node, depth: int) -> Iterable[str]:
    for child in node.children:
        yield "  " * depth + "-> " + child.operator.describe()
        yield from _below(child, depth + 1)
