"""Users' functions in generated code: one of one argument gets the value, one of two gets key and value."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from tailrace.streams.code.code import Code
from tailrace.streams.code.fields import fields_of
from tailrace.streams.code.flow import Flow
from tailrace.streams.errors import TopologyError

K = TypeVar("K")
V = TypeVar("V")
R = TypeVar("R")

Function = Callable[..., Any]

# A function of a record's value, or of its key and its value.
Of = Callable[[K, V], R] | Callable[[V], R]

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def call(code: Code, flow: Flow, function: Function, hint: str) -> str:
    """The expression that calls a function on a record."""
    value = flow.seen_by(fields_of(function, 1 if takes_key(function) else 0))
    return call_on(code, flow.key, value, function, hint)


def call_on(code: Code, key: str, value: str, function: Function, hint: str) -> str:
    """The expression that calls a function on a key and a value."""
    arguments = f"{key}, {value}" if takes_key(function) else value
    return f"{code.constant(function, hint)}({arguments})"


def takes_key(function: Function) -> bool:
    """Whether a function wants the key before the value. Raises TopologyError when it wants neither, or more."""
    needed = needed_arguments(function)
    if needed is not None and needed not in (1, 2):
        raise TopologyError(f"{name_of(function)} takes {needed} arguments; expected one (value) or two (key, value)")
    return needed == 2


def needed_arguments(function: Function) -> int | None:
    """How many arguments a function cannot do without; 1 if it takes any but needs none, None if it does not tell."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):
        return None  # some of Python's own functions do not tell
    positional = [p for p in parameters if p.kind in POSITIONAL]
    needed = sum(p.default is p.empty for p in positional)
    if needed == 0 and (positional or any(p.kind is p.VAR_POSITIONAL for p in parameters)):
        return 1
    return needed


def checked(function: Function) -> Function:
    """Give the function. Raises TopologyError when no record can be given to it: where it was written, not later."""
    takes_key(function)
    return function


def name_of(function: Function) -> str:
    """What people call a function."""
    return getattr(function, "__qualname__", None) or type(function).__qualname__
