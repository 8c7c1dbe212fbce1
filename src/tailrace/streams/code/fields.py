"""Which fields of a value a function looks at, as far as its code tells: others need not be decoded for it."""

import dis
from collections.abc import Callable
from types import FunctionType
from typing import Any

# How a function's code may name an argument: to load it. In later versions of Python some loads are of two at once,
# which are not looked into.
LOADS = ("LOAD_FAST", "LOAD_FAST_BORROW")
# Whoever calls one of these may see any variable.
SEES_ALL = frozenset({"locals", "vars", "eval", "exec", "dir", "globals", "sys", "inspect"})


def fields_of(function: Callable[..., Any], argument: int) -> frozenset[str] | None:
    """The attributes that a function reads of one of its arguments, by number; None if it may do anything else with it.

    Only functions written in Python tell. An argument that is passed on, compared, captured by an inner function or
    whose methods are called counts as looked at as a whole.
    """
    if not isinstance(function, FunctionType):
        return None
    code = function.__code__
    if argument >= code.co_argcount or not SEES_ALL.isdisjoint(code.co_names):
        return None
    name = code.co_varnames[argument]
    if name in code.co_cellvars:
        return None
    fields = set()
    instructions = [each for each in dis.get_instructions(code) if each.opname not in ("CACHE", "EXTENDED_ARG")]
    for instruction, following in zip(instructions, [*instructions[1:], None], strict=True):
        if not _names(instruction.argval, name):
            continue
        if instruction.opname not in LOADS or following is None or following.opname != "LOAD_ATTR":
            return None
        if "NULL|self" in following.argrepr or not isinstance(following.argval, str):
            return None  # a method that is called
        fields.add(following.argval)
    return frozenset(fields)


def _names(argval: object, name: str) -> bool:
    return argval == name or (isinstance(argval, tuple) and name in argval)
