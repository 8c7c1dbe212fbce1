"""The command `tailrace connect`."""

import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer


def connect(
    configs: Annotated[
        list[Path], typer.Argument(help="Connectors, a JSON file each, flat or as Kafka Connect's REST takes them.")
    ],
    bootstrap_servers: Annotated[str, typer.Option(help="Where the Kafka brokers are.")] = "127.0.0.1:9092",
    schema_registry: Annotated[str, typer.Option(help="Where the schema registry is.")] = "http://127.0.0.1:8081",
    host: Annotated[str, typer.Option(help="Address of the REST interface.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the REST interface; 0 picks a free one.")] = 8083,
    offset_storage_topic: Annotated[
        str, typer.Option(help="Topic that keeps the sources' offsets.")
    ] = "connect-offsets",
) -> None:
    """Run connectors between Kafka topics and databases."""
    from tailrace.client import BrokerUnreachable
    from tailrace.connect.errors import ConnectError
    from tailrace.connect.server import serve
    from tailrace.connect.worker import Worker
    from tailrace.listening import AddressUnavailable, take_address

    try:
        server = take_address(host, port)
    except AddressUnavailable as error:
        _refuse(f"Connect {error}")
    try:
        worker = Worker(
            bootstrap_servers,
            schema_registry,
            [_read(path) for path in configs],
            offset_storage_topic=offset_storage_topic,
            worker_id="{}:{}".format(*server.getsockname()),
        )
        serve(server, worker)
    except (ConnectError, BrokerUnreachable) as error:
        _refuse(f"Connect cannot start: {error}")


def _read(path: Path) -> dict[str, Any]:
    """Read a configuration; `{"name", "config"}` is what Kafka Connect's REST interface takes."""
    import msgspec

    try:
        given: dict[str, Any] = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except OSError as error:
        _refuse(f"{path}: {error.strerror}")
    except msgspec.DecodeError as error:
        _refuse(f"{path} is not a connector's configuration in JSON: {error}")
    return {"name": given["name"]} | given["config"] if given.keys() == {"name", "config"} else given


def _refuse(reason: str) -> NoReturn:
    sys.stderr.write(reason + "\n")
    raise typer.Exit(2)
