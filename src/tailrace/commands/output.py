"""What commands print: tables for people, JSON for scripts, bytes in a form that harms no terminal."""

import sys
from base64 import b64encode
from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, stable for scripts.")]
NOT_A_TERMINAL_WIDTH = 10_000


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
    """Print rows under their columns; None is shown as a dash, numbers are aligned to the right."""
    from rich.console import Console
    from rich.table import Table

    kept = [list(row) for row in rows]
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        is_number = any(isinstance(row[number], int) for row in kept)
        table.add_column(column, justify="right" if is_number else "left", overflow="fold")
    for row in kept:
        table.add_row(*("-" if cell is None else escape(str(cell)) for cell in row))
    width = None if sys.stdout.isatty() else NOT_A_TERMINAL_WIDTH
    Console(width=width, highlight=False, markup=False, soft_wrap=False).print(table)


def print_json(value: object) -> None:
    """Print one JSON document."""
    import msgspec

    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value)).decode() + "\n")


def json_line(value: object) -> bytes:
    """A JSON document without line breaks."""
    import msgspec

    return msgspec.json.encode(value)


def say(text: str) -> None:
    """Print a line of text."""
    sys.stdout.write(text + "\n")


def text_of(data: bytes | None) -> str:
    """Bytes on one line: text as it is, everything that is no text or would move the cursor escaped."""
    return "null" if data is None else escape(data.decode(errors="backslashreplace"))


def escape(text: str) -> str:
    """The text with characters that cannot be printed as escapes."""
    return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def json_of(data: bytes | None) -> str | dict[str, str] | None:
    """Bytes for JSON: a string where they are UTF-8, otherwise `{"base64": "..."}`."""
    if data is None:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": b64encode(data).decode()}
