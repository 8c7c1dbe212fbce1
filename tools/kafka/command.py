"""Starts and stops one Apache Kafka node that outlives the command."""

import contextlib
from pathlib import Path
from typing import Annotated

import psutil
import typer

from tailrace.testing.kafka import KafkaProcess

app = typer.Typer(help="One Apache Kafka node on this machine.", no_args_is_help=True, add_completion=False)
Data = Annotated[Path, typer.Option(help="Directory of its data, settings and log.")]


@app.command()
def start(
    data: Data = Path("data/kafka"),
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 9192,
    partitions: Annotated[int, typer.Option(help="Partitions of a topic made without a count.")] = 1,
) -> None:
    """Start it, wait until it serves, and print where."""
    if process := running(data):
        typer.echo(f"already running, pid {process.pid}, {bootstrap_servers(data)}")
        return
    kafka = KafkaProcess(data, port, partitions=partitions, detached=True)
    try:
        kafka.start()
    except RuntimeError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    pid_file(data).write_text(str(kafka.pid))
    typer.echo(kafka.bootstrap_servers)


@app.command()
def stop(data: Data = Path("data/kafka")) -> None:
    """Stop it; its data stays."""
    process = running(data)
    if process is None:
        typer.echo("not running")
        return
    process.terminate()
    with contextlib.suppress(psutil.TimeoutExpired):
        process.wait(30)
    if process.is_running():
        process.kill()
    pid_file(data).unlink(missing_ok=True)
    typer.echo("stopped")


@app.command()
def status(data: Data = Path("data/kafka")) -> None:
    """Tell whether it runs; exit status 1 when not."""
    process = running(data)
    if process is None:
        typer.echo("not running")
        raise typer.Exit(1)
    memory_mb = process.memory_info().rss // 2**20
    typer.echo(f"running, pid {process.pid}, {memory_mb} MB, {bootstrap_servers(data)}")


def running(data: Path) -> psutil.Process | None:
    """Give the node's process, making sure that the pid was not given to another program since."""
    with contextlib.suppress(FileNotFoundError, ValueError, psutil.NoSuchProcess):
        process = psutil.Process(int(pid_file(data).read_text()))
        if str(data.absolute() / "server.properties") in process.cmdline():
            return process
    return None


def pid_file(data: Path) -> Path:
    """Where the running node's pid is noted."""
    return data / "kafka.pid"


def bootstrap_servers(data: Path) -> str:
    """Read back where the node listens."""
    lines = (data / "server.properties").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines)
    return settings["advertised.listeners"].removeprefix("PLAINTEXT://")


if __name__ == "__main__":
    app()
