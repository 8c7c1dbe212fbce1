"""Imports without what a library would only use if it were installed."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

# structlog and kio prepare for these wherever they are installed, which would double the time to start.
NOT_NEEDED = ("rich", "hypothesis")


@contextmanager
def lean(*modules: str) -> Iterator[None]:
    """Let imports meanwhile see these modules as not installed, unless they are imported already."""
    hidden = [module for module in modules if module not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for module in hidden:
            del sys.modules[module]
