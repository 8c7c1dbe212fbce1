"""The output of a supervised process: all of it in a file, what people must see handed on."""

import logging
import re
from collections import deque
from collections.abc import Callable
from pathlib import Path

LEVELS = logging.getLevelNamesMapping() | {"FATAL": logging.CRITICAL}

# structlog's JSON and console forms, then the bare words of Python's and Java's loggers.
LEVEL = re.compile(r'"level":\s*"(\w+)"|\[(\w+)\s*\]|\b(DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL|FATAL)\b')
LINE_BYTES_MAX = 64 * 1024


def level_of(line: str) -> int | None:
    """Give the level, as `logging` numbers it, that a log line states; None when it states none."""
    for found in LEVEL.finditer(line):
        name = next(filter(None, found.groups())).upper()
        if name in LEVELS:
            return LEVELS[name]
    return None


class OutputLog:
    """Takes a process's output as it comes.

    The file at `path` gets every byte; one of `size_max` bytes or more becomes `path` with `.1` appended first.
    `show` gets the lines that state WARNING or above.
    """

    def __init__(self, path: Path, show: Callable[[str], None], size_max: int = 10 * 2**20) -> None:
        self.path = path
        self._tail: deque[tuple[str, bool]] = deque(maxlen=20)  # line, whether it was shown
        self._show = show
        self._size_max = size_max
        self._rest = b""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)

    def begin_run(self) -> None:
        """Forget the lines of the run before."""
        self._tail.clear()
        self._rest = b""

    def write(self, chunk: bytes) -> None:
        """Take the next bytes, wherever they are cut."""
        self._rotate()
        self._file.write(chunk)
        *lines, rest = (self._rest + chunk).split(b"\n")
        if len(rest) > LINE_BYTES_MAX:
            lines, rest = [*lines, rest], b""
        self._rest = rest
        for line in lines:
            self._take(line)

    def end_run(self) -> None:
        """Take the last line also when nothing ends it."""
        if self._rest:
            self._take(self._rest)
            self._rest = b""

    @property
    def last_line(self) -> str | None:
        """The run's last line that is not empty."""
        return self._tail[-1][0] if self._tail else None

    def show_tail(self) -> None:
        """Show those of the run's last lines that were not shown when they came."""
        for text, shown in self._tail:
            if not shown:
                self._show(text)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _take(self, line: bytes) -> None:
        text = line[:LINE_BYTES_MAX].decode(errors="replace").rstrip()
        if not text:
            return
        shown = (level_of(text) or logging.NOTSET) >= logging.WARNING
        self._tail.append((text, shown))
        if shown:
            self._show(text)

    def _rotate(self) -> None:
        if self._file.tell() < self._size_max:
            return
        self._file.close()
        self.path.replace(f"{self.path}.1")
        self._file = self.path.open("ab", buffering=0)
