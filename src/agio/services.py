"""The services by name, and how one or all of them run in this process."""

import importlib
import threading
from collections.abc import Callable
from dataclasses import replace

import structlog

from agio.settings import Settings

log = structlog.get_logger("agio")

# In the order in which a customer's wish passes through them.
SERVICES = ("rates", "accounts", "transactions", "wallets", "web")

Run = Callable[[Settings, threading.Event], None]


def run_of(name: str) -> Run:
    """Import a service; only what runs is imported, since imports are most of a start."""
    run: Run = importlib.import_module(f"agio.{name}.service").run
    return run


def run_all(settings: Settings, stop: threading.Event) -> None:
    """Run every service as a thread of this process until `stop` is set or one fails; its exception is raised."""
    failures: list[BaseException] = []

    def guard(name: str) -> None:
        try:
            run_of(name)(replace(settings, instance=1), stop)
        except BaseException as failure:
            failures.append(failure)
        finally:
            stop.set()

    threads = [threading.Thread(target=guard, args=(name,), name=name) for name in SERVICES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
