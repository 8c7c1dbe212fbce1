"""Small damage to bytes, as Hypothesis draws it: flipped, cut out, doubled, replaced by numbers that mean much."""

from __future__ import annotations

from hypothesis import strategies as st

TELLING = [
    b"\x00",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\x00\x00\x00",
    b"\xff" * 9 + b"\x01",
]
Mutation = tuple[str, float, bytes]
MUTATIONS = st.tuples(
    st.sampled_from(["replace", "insert", "cut", "double", "shorten"]),
    st.floats(0, 1, exclude_max=True),
    st.sampled_from(TELLING) | st.binary(min_size=1, max_size=8),
)


def mutate(data: bytes, mutations: list[Mutation]) -> bytes:
    """Apply mutations one after the other; places are given as parts of the length."""
    for kind, part, content in mutations:
        start = int(part * len(data))
        end = start + len(content)
        if kind == "replace":
            data = data[:start] + content + data[end:]
        elif kind == "insert":
            data = data[:start] + content + data[start:]
        elif kind == "cut":
            data = data[:start] + data[end:]
        elif kind == "double":
            data = data[:end] + data[start:]
        else:
            data = data[:start]
    return data
