"""The web service: one process or thread with an HTTP server, a reader of topics and a writer of records."""

import asyncio
import contextlib
import socket
import sys
import threading
from collections.abc import Iterator

import structlog
import uvicorn

from agio.settings import Settings
from agio.web.app import create_api
from agio.web.exchange import Exchange
from agio.web.feed import Feed
from agio.web.guard import Guard
from agio.web.limits import Limits
from agio.web.live import Live
from agio.web.log import Log
from agio.web.opening import tidy
from agio.web.passwords import Passwords
from agio.web.view.queries import Queries
from tailrace.listening import take_address
from tailrace.registry.client import RegistryClient

logger = structlog.get_logger("agio.web")


def run(settings: Settings, stop: threading.Event) -> None:
    """Serve until told to stop. Raises AddressUnavailable when the port is taken, before anything else is begun."""
    with take_address(settings.host, settings.port) as listener, asyncio.Runner(loop_factory=_event_loop) as runner:
        runner.run(_serve(settings, stop, listener))


async def _serve(settings: Settings, stop: threading.Event, listener: socket.socket) -> None:
    await Service(settings, stop).serve(listener)


def _event_loop() -> asyncio.AbstractEventLoop:
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()


class Service:
    """The parts of the service, and their order of beginning and ending."""

    def __init__(self, settings: Settings, stop: threading.Event) -> None:
        self.stop = stop
        self.live = Live()
        self.passwords = Passwords()
        self.registry = RegistryClient(settings.schema_registry, timeout_s=2.0)
        self.log = Log(settings.bootstrap_servers, self.registry)
        self.path = settings.data / f"web-{settings.instance}" / "view.db"
        loop = asyncio.get_running_loop()
        self.feed = Feed(
            settings.bootstrap_servers,
            self.registry,
            self.path,
            prepare=self.log.prepare,
            on_changes=lambda changes: loop.call_soon_threadsafe(self.live.apply, changes),
            on_caught_up=lambda: loop.call_soon_threadsafe(self.open),
            is_watched=self.live.is_watched,
        )
        self.api = create_api(self.feed, self.log, self.registry)

    @property
    def failure(self) -> Exception | None:
        """Why the service cannot go on; None while it can."""
        return self.feed.failure or self.log.failure

    async def serve(self, listener: socket.socket) -> None:
        """Serve until told to stop, or raise what makes that impossible."""
        self.feed.start()
        try:
            await Server(self).serve([listener])
        finally:
            self.feed.stop()
            self.log.close()
            self.passwords.close()
            self.registry.close()
        if self.failure is not None:
            raise self.failure

    def open(self) -> None:
        """Open the exchange: the view contains all that the topics held at the start."""
        exchange = Exchange(self.log, self.live, Queries(self.path), Limits(), self.passwords)
        self.api.state.exchange = exchange
        self.tidying = asyncio.ensure_future(tidy(exchange))
        logger.info("open", view=str(self.path))


class Server(uvicorn.Server):
    """The HTTP server; leaves signals alone, and lets those who wait for something go before it ends."""

    def __init__(self, service: Service) -> None:
        super().__init__(
            uvicorn.Config(
                Guard(service.api),
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=1,
            )
        )
        self._service = service

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process that the service runs in."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Say, ten times a second, whether to end."""
        service = self._service
        return await super().on_tick(counter) or service.stop.is_set() or service.failure is not None

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End streams and waits first, which would otherwise outlast the server's patience."""
        self._service.live.close()
        await super().shutdown(sockets)
