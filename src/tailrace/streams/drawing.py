"""Pictures of a topology: as Mermaid, for documents, and as SVG, for browsers."""

from collections import defaultdict
from html import escape

from tailrace.streams.graph import Graph, Shape, Vertex

MERMAID = {Shape.TOPIC: '(["{}"])', Shape.STEP: '["{}"]', Shape.STORE: '[("{}")]'}

# Sizes in pixels; text is 12 high and, in this font, some 7 wide for each letter.
ROW, GAP, HEIGHT, LETTER, PADDING = 48, 56, 28, 7, 16
STYLE = """
  text { font: 12px ui-monospace, monospace; fill: #1c2733; text-anchor: middle; dominant-baseline: central }
  .topic { fill: #dceefb; stroke: #2f7fb8 }
  .step { fill: #fff; stroke: #6b7885 }
  .store { fill: #fdf3d7; stroke: #b98900 }
  path { fill: none; stroke: #6b7885 } .lookup { stroke-dasharray: 3 3 }
"""


def mermaid(graph: Graph) -> str:
    """Draw a graph as a Mermaid flowchart."""
    names = {vertex.id: f"v{number}" for number, vertex in enumerate(graph.vertices)}
    lines = ["flowchart LR"]
    for group in (None, *range(graph.groups)):
        members = [vertex for vertex in graph.vertices if vertex.group == group]
        shapes = [names[v.id] + MERMAID[v.shape].format(v.text.replace('"', "#quot;")) for v in members]
        if group is None:
            lines += [f"  {shape}" for shape in shapes]
        elif shapes:
            lines += [f'  subgraph s{group}["sub-topology {group}"]', *(f"    {shape}" for shape in shapes), "  end"]
    for edge in graph.edges:
        lines.append(f"  {names[edge.start]} {'-.-' if edge.is_lookup else '-->'} {names[edge.end]}")
    return "\n".join(lines) + "\n"


def svg(graph: Graph) -> str:
    """Draw a graph as an SVG document: from left to right, each step behind all that feeds it."""
    columns: dict[int, list[Vertex]] = defaultdict(list)
    for vertex_id, column in _columns(graph).items():
        columns[column].append(next(vertex for vertex in graph.vertices if vertex.id == vertex_id))
    places: dict[str, tuple[float, float, float]] = {}
    x = GAP / 2
    for column in sorted(columns):
        width = max(_width(vertex) for vertex in columns[column])
        for row, vertex in enumerate(columns[column]):
            places[vertex.id] = (x + width / 2, (row + 0.5) * ROW, _width(vertex))
        x += width + GAP
    height = ROW * max(map(len, columns.values()), default=1)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {x - GAP / 2:.0f} {height}">',
        f"<style>{STYLE}</style>",
    ]
    parts += [_line(places[edge.start], places[edge.end], is_lookup=edge.is_lookup) for edge in graph.edges]
    parts += [_box(vertex, *places[vertex.id]) for vertex in graph.vertices]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _columns(graph: Graph) -> dict[str, int]:
    """How far from the left a vertex is: one further than what feeds it, as far as there is no circle."""
    columns = {vertex.id: 0 for vertex in graph.vertices}
    for _ in graph.vertices:
        for edge in graph.edges:
            if columns[edge.end] <= columns[edge.start] < len(columns):
                columns[edge.end] = columns[edge.start] + 1
    return columns


def _width(vertex: Vertex) -> float:
    return len(vertex.text) * LETTER + 2 * PADDING


def _box(vertex: Vertex, x: float, y: float, width: float) -> str:
    radius = {Shape.TOPIC: HEIGHT / 2, Shape.STEP: 3, Shape.STORE: 10}[vertex.shape]
    return (
        f'<rect class="{vertex.shape.value}" x="{x - width / 2:.0f}" y="{y - HEIGHT / 2:.0f}" width="{width:.0f}" '
        f'height="{HEIGHT}" rx="{radius:.0f}"/><text x="{x:.0f}" y="{y:.0f}">{escape(vertex.text)}</text>'
    )


def _line(start: tuple[float, float, float], end: tuple[float, float, float], *, is_lookup: bool) -> str:
    x1, y1, x2, y2 = start[0] + start[2] / 2, start[1], end[0] - end[2] / 2, end[1]
    middle = (x1 + x2) / 2
    look = ' class="lookup"' if is_lookup else ""
    return f'<path{look} d="M{x1:.0f} {y1:.0f}C{middle:.0f} {y1:.0f} {middle:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"/>'
