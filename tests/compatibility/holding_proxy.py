"""A proxy in front of a broker that can keep one request back and deliver it later, on the connection it came on."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Coroutine
from contextlib import suppress
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self

WAIT_S = 60


class HoldingProxy:
    """Listens on 127.0.0.2, at the port that a broker has on 127.0.0.1, which is to advertise that address."""

    host = "127.0.0.2"

    def __init__(self, port: int) -> None:
        self.held = Event()
        self._port = port
        self._wanted_key: int | None = None
        self._frame = b""
        self._upstream: asyncio.StreamWriter | None = None
        self._closed_by_broker = Event()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(asyncio.start_server(self._serve, self.host, self._port))
        return self

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients."""
        return f"{self.host}:{self._port}"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def hold_next(self, api_key: int) -> None:
        """Keep the next request of that kind back and close its client's connection, but not the broker's."""
        self.held.clear()
        self._wanted_key = api_key

    def deliver(self) -> None:
        """Give the broker what was held, and wait until it has closed the connection."""
        self._do(self._deliver())
        assert self._closed_by_broker.wait(WAIT_S), "the broker took a request on an outdated connection"

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(WAIT_S)

    async def _deliver(self) -> None:
        assert self._upstream is not None
        self._upstream.write(self._frame)
        await self._upstream.drain()

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        upstream_reader, upstream = await asyncio.open_connection("127.0.0.1", self._port)
        back = asyncio.create_task(self._forward_replies(upstream_reader, writer))
        self._tasks.add(back)
        try:
            if await self._forward_requests(reader, upstream):
                self._upstream = upstream
                self.held.set()
                writer.close()
                await back
                self._closed_by_broker.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            upstream.close()
        finally:
            writer.close()

    async def _forward_requests(self, reader: asyncio.StreamReader, upstream: asyncio.StreamWriter) -> bool:
        """Forward until a request is held; raises when the client is gone."""
        while True:
            length = await reader.readexactly(4)
            frame = length + await reader.readexactly(struct.unpack(">i", length)[0])
            if self._wanted_key == struct.unpack_from(">h", frame, 4)[0]:
                self._wanted_key = None
                self._frame = frame
                return True
            upstream.write(frame)
            await upstream.drain()

    async def _forward_replies(self, upstream: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await upstream.read(1 << 16):
            with suppress(ConnectionError):
                if not writer.is_closing():
                    writer.write(data)
                    await writer.drain()
        writer.close()
