"""Users' functions that make one value of two: they get both, or the key and both."""

from tailrace.streams.code.code import Code
from tailrace.streams.errors import TopologyError
from tailrace.streams.operators.function import Function, name_of, needed_arguments


def join_call(code: Code, key: str, one: str, other: str, joiner: Function) -> str:
    """The expression that calls a joiner."""
    arguments = f"{one}, {other}"
    if takes_key_and_two(joiner):
        arguments = f"{key}, {arguments}"
    return f"{code.constant(joiner, 'joiner')}({arguments})"


def takes_key_and_two(joiner: Function) -> bool:
    """Whether a joiner wants the key before the two values."""
    return needed_arguments(joiner) == 3


def check_joiner(joiner: Function) -> Function:
    """Give the joiner. Raises TopologyError when it cannot take two values, or a key and two values."""
    count = needed_arguments(joiner)
    if count is not None and count not in (2, 3):
        raise TopologyError(
            f"{name_of(joiner)} takes {count} arguments; expected two (value, other) or three (key, value, other)"
        )
    return joiner
