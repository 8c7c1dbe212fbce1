"""Runs the wallet service."""

import threading

from agio.platform import is_platform_ready
from agio.settings import Settings
from agio.wallets.topology import build
from tailrace.registry.client import RegistryClient
from tailrace.streams import StreamsConfig
from tailrace.streams import run as run_topology


def run(settings: Settings, stop: threading.Event) -> None:
    """Serve until `stop` is set."""
    config = StreamsConfig(
        settings.bootstrap_servers,
        settings.data / f"wallets-{settings.instance}",
        instance=str(settings.instance),
    )
    registry = RegistryClient(settings.schema_registry)
    topology = build(registry)
    if is_platform_ready(settings, registry, topology.topics(), stop):
        run_topology(topology, config, stop)
