"""The command `tailrace registry`."""

import signal
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer


def registry(
    bootstrap_servers: Annotated[str, typer.Option(help="Where the Kafka brokers are.")] = "127.0.0.1:9092",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 picks a free one.")] = 8081,
    address_file: Annotated[Path | None, typer.Option(help="File that gets host:port when ready.")] = None,
    topic: Annotated[str, typer.Option(help="Topic that keeps the schemas.")] = "_schemas",
    wait: Annotated[float, typer.Option(help="How long to wait for a broker, in seconds.")] = 30.0,
) -> None:
    """Run a schema registry that keeps its schemas in Kafka."""
    import logging

    from tailrace.client import BrokerUnreachable
    from tailrace.listening import AddressUnavailable, take_address
    from tailrace.registry.log import SchemaLog
    from tailrace.registry.server import serve

    # Plain logging: structlog would add a quarter of a second to the start.
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s [%(levelname)s] %(name)s: %(message)s")
    logging.getLogger("tailrace.registry").setLevel(logging.INFO)
    # To be fenced by another registry is normal here, and a broker that is away is told by what fails.
    logging.getLogger("librdkafka").disabled = True
    for stop in signal.SIGTERM, signal.SIGINT:
        signal.signal(stop, lambda *_: sys.exit(0))
    try:
        server = take_address(host, port)
    except AddressUnavailable as error:
        _refuse(f"the schema registry {error}")
    schemas = SchemaLog(bootstrap_servers, topic)
    try:
        schemas.start(wait)
    except (BrokerUnreachable, TimeoutError, ValueError) as error:
        _refuse(f"the schema registry cannot start: {error}")
    try:
        serve(server, schemas, address_file)
    finally:
        schemas.close()


def _refuse(reason: str) -> NoReturn:
    sys.stderr.write(reason + "\n")
    raise typer.Exit(2)
