"""The registry as a process: a socket, the log, and the application between them."""

import socket
from pathlib import Path

import structlog
import uvicorn

from tailrace.registry.app import application
from tailrace.registry.log import SchemaLog

log = structlog.get_logger(__name__)

STOP_TIMEOUT_S = 1


def listen(host: str, port: int) -> socket.socket:
    """Take a port (0: any free one) without accepting connections yet. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    server = socket.socket(family, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind((host, port))
    except OSError:
        server.close()
        raise
    return server


def serve(server: socket.socket, schemas: SchemaLog, address_file: Path | None = None) -> None:
    """Serve a started log until SIGTERM or SIGINT. `address_file` gets host:port once connections are accepted."""
    server.listen(128)
    config = uvicorn.Config(
        application(schemas),
        lifespan="off",
        ws="none",
        proxy_headers=False,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
    )
    host, port = server.getsockname()[:2]
    if address_file is not None:
        _write_address(address_file, f"{host}:{port}")
    log.info("schema registry serves", address=f"{host}:{port}")
    uvicorn.Server(config).run(sockets=[server])
    log.info("schema registry stopped")


def _write_address(path: Path, address: str) -> None:
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(address)
    temporary.replace(path)
