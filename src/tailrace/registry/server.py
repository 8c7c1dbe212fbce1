"""The registry as a process: a socket, the log, and the application between them."""

import logging
import socket
from pathlib import Path

import uvicorn

from tailrace.listening import address_of
from tailrace.registry.app import application
from tailrace.registry.log import SchemaLog

log = logging.getLogger(__name__)

STOP_TIMEOUT_S = 1


def serve(server: socket.socket, schemas: SchemaLog, address_file: Path | None = None) -> None:
    """Serve a started log until SIGTERM or SIGINT, which then also reach the handlers installed before.

    `address_file` gets host:port once connections are accepted.
    """
    config = uvicorn.Config(
        application(schemas),
        lifespan="off",
        ws="none",
        proxy_headers=False,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
    )
    _Server(config, address_file).run(sockets=[server])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, address_file: Path | None) -> None:
        super().__init__(config)
        self._address_file = address_file

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        assert sockets is not None
        address = address_of(sockets[0])
        if self._address_file is not None:
            _write(self._address_file, address)
        log.info("the schema registry serves http://%s", address)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        log.info("the schema registry stopped")


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(text)
    temporary.replace(path)
