"""Users' functions in generated code: one of one argument gets the value, one of two gets key and value."""

import inspect
from collections.abc import Callable
from typing import Any

from tailrace.streams.code.code import Code
from tailrace.streams.code.flow import Flow
from tailrace.streams.errors import TopologyError

Function = Callable[..., Any]

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def call(code: Code, flow: Flow, function: Function, hint: str) -> str:
    """The expression that calls a function on a record."""
    arguments = f"{flow.key}, {flow.value}" if takes_key(function) else flow.value
    return f"{code.constant(function, hint)}({arguments})"


def takes_key(function: Function) -> bool:
    """Whether a function wants the key before the value. Raises TopologyError when it wants neither, or more."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):
        return False  # some of Python's own functions do not tell
    needed = sum(p.kind in POSITIONAL and p.default is p.empty for p in parameters)
    possible = sum(p.kind in POSITIONAL for p in parameters)
    if needed > 2 or (possible == 0 and not any(p.kind is p.VAR_POSITIONAL for p in parameters)):
        raise TopologyError(f"{name_of(function)} takes {needed} arguments; expected one (value) or two (key, value)")
    return needed == 2


def name_of(function: Function) -> str:
    """What people call a function."""
    return getattr(function, "__qualname__", None) or type(function).__qualname__
