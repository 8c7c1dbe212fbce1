"""Ctrl-C, as a wish to be noticed rather than an exception that may come anywhere."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event


@contextmanager
def noticed_interrupts() -> Iterator[Event]:
    """Let SIGINT and SIGTERM meanwhile set the event, unless they are ignored; a second one does what it did before."""
    noticed = Event()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    before = {number: handler for number, handler in handlers.items() if handler is not signal.SIG_IGN}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def notice(*_: object) -> None:
        noticed.set()
        restore()

    for number in before:
        signal.signal(number, notice)
    try:
        yield noticed
    finally:
        restore()
