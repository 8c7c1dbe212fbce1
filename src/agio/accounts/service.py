"""Runs the connectors between the account topics and the account database."""

import threading

from agio.accounts import connectors, database
from agio.platform import is_platform_ready
from agio.settings import Settings
from tailrace.connect.worker import Worker
from tailrace.registry.client import RegistryClient


def run(settings: Settings, stop: threading.Event) -> None:
    """Serve until `stop` is set. Raises SystemUnreachable when the database does not answer at the start."""
    url = settings.accounts_db or database.default_url(settings.data)
    worker = Worker(
        settings.bootstrap_servers, settings.schema_registry, [connectors.sink(url), connectors.source(url)]
    )
    registry = RegistryClient(settings.schema_registry)
    if not is_platform_ready(settings, registry, ["account-requests", "accounts"], stop):
        return
    for connector in worker.connectors.values():
        connector.connector.check()
    database.create(url)
    worker.run(stop)
