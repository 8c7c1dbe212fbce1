"""Runs the connectors between the account topics and the account database."""

import threading

from agio.accounts import connectors, database
from agio.settings import Settings
from tailrace.client import wait_for_topics
from tailrace.connect.worker import Worker
from tailrace.registry.client import RegistryClient

PLATFORM_TIMEOUT_S = 60.0


def run(settings: Settings, stop: threading.Event) -> None:
    """Serve until `stop` is set. Raises SystemUnreachable when the database does not answer at the start."""
    url = settings.accounts_db or database.default_url(settings.data)
    worker = Worker(
        settings.bootstrap_servers, settings.schema_registry, [connectors.sink(url), connectors.source(url)]
    )
    wait_for_topics(settings.bootstrap_servers, ["account-requests", "accounts"], PLATFORM_TIMEOUT_S)
    RegistryClient(settings.schema_registry).wait_ready(PLATFORM_TIMEOUT_S)
    for connector in worker.connectors.values():
        connector.connector.check()
    database.create(url)
    worker.run(stop)
