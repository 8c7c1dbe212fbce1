"""`tailrace produce`: lines from standard input become records."""

import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Annotated, Any

import typer

from tailrace.commands.cluster import LOCAL, Cluster, CommandConfig, Servers
from tailrace.commands.failure import CommandFailed, plain_failures, reason
from tailrace.commands.lines import NewRecord, parse_json, parse_text

INTERRUPTED = 130
FAILURES_SHOWN = 5
SHOW_EVERY = 1000


class Acks(StrEnum):
    """When a record counts as written."""

    ALL = "all"
    ONE = "1"
    NONE = "0"


class Compression(StrEnum):
    """Codec of the batches."""

    NONE = "none"
    GZIP = "gzip"
    SNAPPY = "snappy"
    LZ4 = "lz4"
    ZSTD = "zstd"


@plain_failures
def produce(
    topic: Annotated[str, typer.Argument(help="Topic to write to.")],
    key_separator: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="What stands between key and value; without it there are no keys."),
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A header of each record; can be repeated.")
    ] = None,
    partition: Annotated[int, typer.Option(help="Partition to write to; -1 lets the key decide.")] = -1,
    as_json: Annotated[
        bool, typer.Option("--json", help="Each line is an object as `tailrace consume --json` prints it.")
    ] = False,
    acks: Annotated[Acks, typer.Option(help="When a record counts as written.")] = Acks.ALL,
    compression: Annotated[Compression, typer.Option(help="Codec of the batches.")] = Compression.LZ4,
    timeout: Annotated[float, typer.Option(help="Seconds after which a record that is not written has failed.")] = 30,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing when all goes well.")] = False,
    servers: Servers = LOCAL,
    command_config: CommandConfig = None,
) -> None:
    """Write the lines of standard input to a topic, one record each.

    Exit code 0 says that every line was acknowledged, 1 that some were not, 130 that Ctrl-C came first.

    Examples:

      echo ada:deposit | tailrace produce requests --key-separator :

      tailrace consume orders --until-end --json | tailrace produce copy --json
    """
    cluster = Cluster(servers, command_config)
    there = cluster.partitions(cluster.admin(), topic)
    if partition >= 0 and partition not in there:
        raise CommandFailed(f"{topic} has the partitions {there[0]} to {there[-1]}, not {partition}")
    producer = cluster.producer(
        **{
            "acks": acks.value,
            "enable.idempotence": acks is Acks.ALL,
            "compression.type": compression.value,
            "message.timeout.ms": round(timeout * 1000),
        }
    )
    sending = Sending(producer, topic, partition, shows_progress=not quiet and _has_audience())
    problems, was_interrupted = [], False
    try:
        sending.send(_records(key_separator, header or (), as_json=as_json))
    except KeyboardInterrupt:
        was_interrupted = True
    except CommandFailed as error:
        problems = [str(error)]
    sending.finish()
    problems = [*sending.failures(), *problems]
    if problems:
        raise CommandFailed("; ".join([*problems, f"{sending.acknowledged:,} records were acknowledged"]))
    if not quiet:
        sys.stderr.write(f"{sending.acknowledged:,} records acknowledged\n")
    if was_interrupted:
        raise typer.Exit(INTERRUPTED)


def _has_audience() -> bool:
    return sys.stderr.isatty() and not sys.stdin.isatty()


def _records(key_separator: str | None, headers: Iterable[str], *, as_json: bool) -> Iterator[NewRecord]:
    named = [_header(header) for header in headers]
    for number, line in enumerate(sys.stdin.buffer, 1):
        line = line.removesuffix(b"\n")
        if as_json:
            yield parse_json(line, number, named)
        else:
            yield parse_text(line, number, key_separator, named)


def _header(text: str) -> tuple[str, bytes | None]:
    name, equals, value = text.partition("=")
    return name, value.encode() if equals else None


class Sending:
    """Records on their way: how many are acknowledged, and what became of the others."""

    def __init__(self, producer: Any, topic: str, partition: int, *, shows_progress: bool) -> None:
        self.acknowledged = 0
        self.unacknowledged = 0
        self._producer = producer
        self._topic = topic
        self._partition = partition
        self._shows_progress = shows_progress
        self._sent = 0
        self._failures: list[str] = []

    def send(self, records: Iterator[NewRecord]) -> None:
        """Hand records to the client until there are no more, or until one failed."""
        for record in records:
            self._hand_over(record)
            self._sent += 1
            if self._shows_progress and self._sent % SHOW_EVERY == 0:
                self._show()
            if self._failures:
                return

    def _hand_over(self, record: NewRecord) -> None:
        partition = self._partition if record.partition is None else record.partition
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    record.value,
                    record.key,
                    partition=partition,
                    headers=record.headers,
                    timestamp=record.timestamp_ms,
                    on_delivery=lambda error, _: self._note(record.line, error),
                )
                self._producer.poll(0)
                return
            except BufferError:  # the queue is full: wait until something is acknowledged
                self._producer.poll(0.1)
            except Exception as error:
                self._fail(record.line, reason(error))
                return

    def _note(self, line: int, error: Any) -> None:
        if error is None:
            self.acknowledged += 1
        else:
            self._fail(line, error.str())

    def _fail(self, line: int, why: str) -> None:
        self.unacknowledged += 1
        if len(self._failures) < FAILURES_SHOWN:
            self._failures.append(f"line {line} was not acknowledged: {why}")

    def finish(self) -> None:
        """Wait until each record is acknowledged or has failed; a second Ctrl-C gives up on the rest."""
        try:
            while self._producer.flush(0.2):
                if self._shows_progress:
                    self._show()
        except KeyboardInterrupt:
            self._fail(self._sent, f"interrupted with {len(self._producer):,} records under way")
        if self._shows_progress:
            sys.stderr.write("\r\x1b[K")

    def _show(self) -> None:
        sys.stderr.write(f"\r{self.acknowledged:,} of {self._sent:,} records acknowledged")
        sys.stderr.flush()

    def failures(self) -> list[str]:
        """What to say about the records that were not acknowledged."""
        rest = self.unacknowledged - len(self._failures)
        return [*self._failures, *([f"and {rest:,} more"] if rest > 0 else [])]
