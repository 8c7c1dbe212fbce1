"""`tailrace log`: look into the data directory of a broker, running or not."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tailrace.commands.failure import CommandFailed, plain_failures
from tailrace.commands.output import AsJson, escape, json_line, json_of, print_json, say, text_of

log = typer.Typer(
    help="Verify and show what a broker has on disk. Nothing is written, so a broker may run meanwhile.",
    no_args_is_help=True,
)


@log.command()
@plain_failures
def verify(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The broker's data directory.", file_okay=False)],
    as_json: AsJson = False,
) -> None:
    """Check a data directory: checkpoint, journal, batches, offsets, leader epochs and indexes.

    Exit code 1 says that something is wrong; what, and where, stands in the lines before.

    Example: tailrace log verify data/broker
    """
    from dataclasses import asdict

    from tailrace.broker.offline.owner import owner_of
    from tailrace.broker.offline.verify import verify as check

    if not directory.is_dir():
        raise CommandFailed(f"there is no directory {directory}")
    report, owner = check(directory), owner_of(directory)
    if as_json:
        problems = [problem._asdict() for problem in report.problems]
        print_json({"directory": str(directory), "broker_pid": owner, **asdict(report), "problems": problems})
    else:
        if owner is not None:
            say(f"a broker runs there, process {owner}; what it wrote after its last checkpoint is seen in part")
        for note in report.notes:
            say(f"note: {note}")
        for file, position, what in report.problems:
            say(f"wrong: {file}" + (f", byte {position:,}: " if position is not None else ": ") + what)
        say(
            f"{len(report.problems)} problems; {report.topics:,} topics, {report.partitions:,} partitions, "
            f"{report.segments:,} segments, {report.batches:,} batches and {report.frames:,} frames read, "
            f"{report.bytes_read:,} bytes"
        )
    if report.problems:
        raise typer.Exit(1)


@log.command()
@plain_failures
def dump(
    path: Annotated[
        Path, typer.Argument(metavar="FILE|DIR", help="Segment, index, journal or checkpoint, or a directory of them.")
    ],
    records: Annotated[bool, typer.Option("--records", help="Show the records in the batches, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Show batches, frames, events and checkpoints as they are on disk.

    Exit code 1 says that a file could not be read to its end, which is normal for the tail of a log that a crash left.

    Example: tailrace log dump data/broker/topics/orders --records --json
    """
    from tailrace.broker.offline.dump import dump as read
    from tailrace.broker.offline.owner import owner_of

    if not path.exists():
        raise CommandFailed(f"there is no {path}")
    owner = next(filter(None, map(owner_of, [path, *path.absolute().parents])), None)
    if owner is not None:
        sys.stderr.write(f"a broker runs there, process {owner}; it goes on writing\n")
    is_readable, file = True, None
    for row in read(path, with_records=records):
        is_readable = is_readable and row["kind"] != "unreadable"
        if as_json:
            sys.stdout.buffer.write(json_line(_for_json(row)) + b"\n")
            continue
        if row["file"] != file:
            file = row["file"]
            say(file)
        say(_line(row))
    if not is_readable:
        raise typer.Exit(1)


def _for_json(value: Any) -> Any:
    match value:
        case bytes():
            return json_of(value)
        case dict():
            return {str(key): _for_json(item) for key, item in value.items()}
        case list() | tuple():
            return [_for_json(item) for item in value]
        case _:
            return value


def _line(row: dict[str, Any]) -> str:
    """A row on one line: its kind and what it says."""
    indent = {"record": "    ", "event": "  ", "batch": "  "}.get(row["kind"], " ")
    said = (f"{name}={_shown(value)}" for name, value in row.items() if name not in ("file", "kind"))
    return f"{indent}{row['kind']} {' '.join(said)}"


def _shown(value: Any) -> str:
    match value:
        case bytes():
            return text_of(value)
        case bool() | None:
            return str(value).lower() if value is not None else "-"
        case list() | tuple() | dict():
            return json_line(_for_json(value)).decode()
        case _:
            return escape(str(value))
