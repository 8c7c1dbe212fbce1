"""The door: accepts connections, refuses those that are too many, makes TLS, and closes those that take too long."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Coroutine
from typing import Any

import structlog

from tailrace.broker.broker import Broker
from tailrace.broker.connection import Connection
from tailrace.broker.limits.connection_quota import ConnectionQuota
from tailrace.broker.limits.in_flight import InFlight

log = structlog.get_logger()

BACKLOG = 1024
CHECK_INTERVAL_S = 0.5
RETRY_ACCEPT_S = 0.5


class Listener:
    """Connections of one socket. Without `context` they are not encrypted."""

    def __init__(self, broker: Broker, listening: socket.socket, context: ssl.SSLContext | None) -> None:
        self._broker = broker
        self._listening = listening
        self._context = context
        self._quota = ConnectionQuota(broker.config.max_connections, broker.config.max_connections_per_ip)
        self._in_flight = InFlight(broker.config.queued_max_request_bytes, asyncio.get_running_loop().call_soon)
        self._connections: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to accept, in the running event loop."""
        self._listening.setblocking(False)
        self._listening.listen(BACKLOG)
        for work in (self._accept(), self._check()):
            self._start(work)

    def close(self) -> None:
        """Accept nobody any more, and close every connection when what was written is sent."""
        for task in self._tasks:
            task.cancel()
        self._listening.close()
        for connection in list(self._connections):
            connection.close()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, address = await loop.sock_accept(self._listening)
            except OSError as error:
                # Too many open files, or a client that is gone already.
                log.warning("cannot accept a connection", error=str(error))
                await asyncio.sleep(RETRY_ACCEPT_S)
                continue
            host = address[0]
            refusal = self._quota.admit(host)
            if refusal is None:
                self._start(self._open(client, host))
            else:
                log.warning("refused a connection", client=host, reason=refusal)
                client.close()

    async def _open(self, client: socket.socket, host: str) -> None:
        connection = Connection(self._broker, self._in_flight, lambda ended: self._forget(ended, host))
        self._connections.add(connection)
        timeout_s = self._broker.config.connection_authentication_timeout_ms / 1000
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection,
                client,
                ssl=self._context,
                ssl_handshake_timeout=timeout_s if self._context else None,
            )
        except OSError as error:
            log.warning("refused a connection", client=host, reason=f"no TLS: {error}")
            self._forget(connection, host)

    def _forget(self, ended: Connection, host: str) -> None:
        if ended in self._connections:
            self._connections.remove(ended)
            self._quota.leave(host)

    async def _check(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(CHECK_INTERVAL_S)
            now = loop.time()
            for connection in list(self._connections):
                connection.check(now)
