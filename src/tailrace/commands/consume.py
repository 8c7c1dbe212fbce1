"""`tailrace consume`: records of a topic, for people or as JSON."""

import sys
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Annotated, Any

import typer

from tailrace.commands.cluster import LOCAL, Cluster, CommandConfig, Servers
from tailrace.commands.failure import CommandFailed, plain_failures
from tailrace.commands.instant import parse_instant
from tailrace.commands.interrupt import noticed_interrupts
from tailrace.commands.output import json_line
from tailrace.commands.reading import Reading, Start, start_offsets
from tailrace.commands.record_text import record_line, record_object

COMMIT_EVERY_MS = 1000


class Isolation(StrEnum):
    """Which records are shown."""

    READ_COMMITTED = "read_committed"
    READ_UNCOMMITTED = "read_uncommitted"


@plain_failures
def consume(
    topic: Annotated[str, typer.Argument(help="Topic to read.")],
    partition: Annotated[list[int] | None, typer.Option(help="Only this partition; can be repeated.")] = None,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="Begin with the first record.")] = False,
    offset: Annotated[int | None, typer.Option(min=0, help="Begin at this offset of each partition.")] = None,
    timestamp: Annotated[
        str | None, typer.Option(metavar="TIMESTAMP", help="Begin with records of this moment (ms or ISO 8601).")
    ] = None,
    until_end: Annotated[
        bool, typer.Option("--until-end", help="End where the topic ends now; begins at the beginning unless told.")
    ] = False,
    max_messages: Annotated[int | None, typer.Option(min=1, help="End after so many records.")] = None,
    group: Annotated[
        str | None, typer.Option(help="Go on where this group stopped, as a member, and commit what was shown.")
    ] = None,
    isolation: Annotated[Isolation, typer.Option(help="Which records are shown.")] = Isolation.READ_COMMITTED,
    keys: Annotated[bool, typer.Option("--keys", help="Show keys.")] = False,
    headers: Annotated[bool, typer.Option("--headers", help="Show headers.")] = False,
    timestamps: Annotated[bool, typer.Option("--timestamps", help="Show timestamps.")] = False,
    positions: Annotated[bool, typer.Option("--positions", help="Show partition and offset.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line, with everything.")] = False,
    servers: Servers = LOCAL,
    command_config: CommandConfig = None,
) -> None:
    """Show the records of a topic as they come, until Ctrl-C.

    Bytes that are no UTF-8, and characters that cannot be printed, are shown as escapes; in JSON, bytes that are no
    UTF-8 are {"base64": "..."}.

    Examples:

      tailrace consume orders --from-beginning --keys

      tailrace consume orders --until-end --json | jq .value
    """
    start = _start(from_beginning, offset, timestamp, until_end=until_end)
    if group and (partition or start.offset is not None or start.timestamp_ms is not None):
        raise CommandFailed("a group decides itself which partitions it reads and where; leave out what says otherwise")
    cluster = Cluster(servers, command_config)
    there = cluster.partitions(cluster.admin(), topic)
    if not set(partition or ()) <= set(there):
        raise CommandFailed(f"{topic} has the partitions {there[0]} to {there[-1]}")
    wanted = {"timestamps": timestamps, "positions": positions, "keys": keys, "headers": headers}
    fields = {name for name, is_wanted in wanted.items() if is_wanted}
    reader = cluster.consumer(**_settings(group, isolation, start))
    try:
        with noticed_interrupts() as interrupted:
            reading = Reading(reader, interrupted, until_end=until_end)
            if group is None:
                reading.assign(start_offsets(reader, topic, partition or there, start))
            else:
                reading.subscribe(topic)
            line_of = _json_line if as_json else lambda record: record_line(record, fields).encode()
            _print(reading, line_of, max_messages, partial(_store, reader) if group else lambda record: None)
    finally:
        reader.close()


def _start(from_beginning: bool, offset: int | None, timestamp: str | None, *, until_end: bool) -> Start:
    if from_beginning + (offset is not None) + (timestamp is not None) > 1:
        raise CommandFailed("give only one of --from-beginning, --offset and --timestamp")
    if offset is None and timestamp is None:
        return Start(at_beginning=from_beginning or until_end)
    return Start(offset=offset, timestamp_ms=None if timestamp is None else parse_instant(timestamp))


def _settings(group: str | None, isolation: Isolation, start: Start) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "isolation.level": isolation.value,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest" if start.at_beginning or group is None else "latest",
    }
    if group:
        # What was shown is stored by us; the client commits that, at the latest when it is closed.
        settings |= {"group.id": group, "enable.auto.commit": True, "auto.commit.interval.ms": COMMIT_EVERY_MS}
    return settings


def _store(reader: Any, record: Any) -> None:
    """Let the group's offset be behind the record, unless its partition has gone to another member meanwhile."""
    from confluent_kafka import KafkaError, KafkaException

    try:
        reader.store_offsets(message=record)
    except KafkaException as error:
        if error.args[0].code() != KafkaError._STATE:
            raise


def _json_line(record: Any) -> bytes:
    return json_line(record_object(record))


def _print(reading: Reading, line_of: Callable[[Any], bytes], most: int | None, done: Callable[[Any], object]) -> None:
    """Print records until the reading ends or `most` are shown, and say of each that it is done."""
    left = most
    for records in reading.records():
        shown = records if left is None else records[:left]
        sys.stdout.buffer.write(b"".join(line_of(record) + b"\n" for record in shown))
        sys.stdout.buffer.flush()
        for record in shown:
            done(record)
        if left is not None:
            left -= len(shown)
            if not left:
                return
