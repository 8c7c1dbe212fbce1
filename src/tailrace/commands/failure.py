"""How a command fails: one line on standard error that says what and why, and exit code 1."""

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import NoReturn, ParamSpec, TypeVar

import typer

P = ParamSpec("P")
R = TypeVar("R")


class CommandFailed(Exception):
    """A command cannot do what was asked; the message says what, why, and what to do."""


def plain_failures(command: Callable[P, R]) -> Callable[P, R]:
    """Let a command end as this module says when it raises CommandFailed, KafkaException or OSError."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except BrokenPipeError:  # whoever reads our output has enough
            # What is still buffered goes nowhere, so that Python does not fail at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        except (CommandFailed, OSError) as error:
            _end(str(error))
        except Exception as error:
            _end(_kafka_message(error))

    return run


def reason(error: Exception) -> str:
    """What the client library says about a failure, without its codes."""
    from confluent_kafka import KafkaException

    if isinstance(error, KafkaException) and error.args and hasattr(error.args[0], "str"):
        return str(error.args[0].str())
    return str(error)


def _kafka_message(error: Exception) -> str:
    from confluent_kafka import KafkaException

    if not isinstance(error, KafkaException):
        raise error
    return reason(error)


def _end(message: str) -> NoReturn:
    sys.stderr.write(f"tailrace: {message}\n")
    raise typer.Exit(1) from None
