"""A process's output: kept whole, shown where it matters."""

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.deploy.log import LINE_BYTES_MAX, OutputLog, level_of


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ('{"event": "slow", "level": "warning"}', logging.WARNING),
        ("2026-11-23 08:00:00 [error    ] cannot reach broker [agio.web]", logging.ERROR),
        ("2026-11-23 08:00:00 [info     ] started", logging.INFO),
        ("WARNING:root:slow", logging.WARNING),
        ("2026-11-23T08:34:36,835 WARN QuorumController: log is empty", logging.WARNING),
        ("2026-11-23 08:00:00.123 FATAL:  password authentication failed", logging.CRITICAL),
        ("[agio.web] INFO no error", logging.INFO),
        ("an error nobody gave a level", None),
        ("", None),
    ],
)
def test_the_level_of_a_line(line: str, level: int | None) -> None:
    assert level_of(line) == level


@pytest.fixture
def shown() -> list[str]:
    return []


@pytest.fixture
def log(tmp_path: Path, shown: list[str]) -> OutputLog:
    return OutputLog(tmp_path / "logs" / "web.log", shown.append, size_max=100)


def test_warnings_are_shown_and_all_is_kept(log: OutputLog, shown: list[str]) -> None:
    log.write(b"INFO started\nWARNING sl")
    log.write(b"ow\nINFO done\n")
    assert shown == ["WARNING slow"]
    assert log.path.read_bytes() == b"INFO started\nWARNING slow\nINFO done\n"


def test_the_tail_tells_what_was_not_shown(log: OutputLog, shown: list[str]) -> None:
    log.write(b"ERROR failed\nTraceback:\n  ZeroDivisionError")
    log.end_run()
    assert log.last_line == "  ZeroDivisionError"
    log.show_tail()
    assert shown == ["ERROR failed", "Traceback:", "  ZeroDivisionError"]


def test_a_new_run_has_no_tail(log: OutputLog, shown: list[str]) -> None:
    log.write(b"of the run before")
    log.begin_run()
    assert log.last_line is None
    log.write(b"mine\n")
    log.show_tail()
    assert shown == ["mine"]


def test_a_large_file_is_moved_aside(log: OutputLog, tmp_path: Path) -> None:
    log.write(b"x" * 100)
    log.write(b"next")
    log.close()
    assert (tmp_path / "logs" / "web.log.1").read_bytes() == b"x" * 100
    assert log.path.read_bytes() == b"next"


def test_a_large_file_of_an_earlier_time_is_moved_aside(log: OutputLog, tmp_path: Path) -> None:
    log.write(b"x" * 100)
    log.close()
    OutputLog(log.path, print, size_max=100).write(b"next")
    assert log.path.read_bytes() == b"next"


def test_a_line_without_end_is_not_hoarded(log: OutputLog, shown: list[str]) -> None:
    log.write(b"WARNING " + b"x" * LINE_BYTES_MAX)
    assert [len(line) for line in shown] == [LINE_BYTES_MAX]


@given(lines=st.lists(st.text(st.characters(codec="ascii", categories=["L"]), min_size=1)), size=st.integers(1, 9))
def test_lines_do_not_depend_on_where_the_output_is_cut(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], size: int
) -> None:
    shown: list[str] = []
    log = OutputLog(tmp_path_factory.mktemp("logs") / "web.log", shown.append)
    output = "".join(f"ERROR {line}\n" for line in lines).encode()
    for start in range(0, len(output), size):
        log.write(output[start : start + size])
    log.close()
    assert shown == [f"ERROR {line}" for line in lines]
