"""The worker: runs connectors, each given as a configuration, in one process.

What outlives it is in Kafka: the sinks' progress as offsets of their consumer groups, the sources' in the offsets
topic. A connector runs in one worker at a time: a second worker takes it over, and what is left of the first is fenced.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from threading import Event
from typing import Any

import structlog

from tailrace.client import wait_for_broker
from tailrace.connect.config import Settings
from tailrace.connect.connector import ConnectorConfig, SinkTask
from tailrace.connect.errors import ConfigError
from tailrace.connect.framework import read_config
from tailrace.connect.offsets import create_offsets_topic
from tailrace.connect.sink import SinkRunner
from tailrace.connect.source import SourceRunner
from tailrace.connect.task import Runner, TaskThread
from tailrace.registry.client import Registry, RegistryClient

log = structlog.get_logger(__name__)

BROKER_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 4.0
REGISTRY_PATIENCE_S = 2.0  # short: tasks themselves wait, and say so


class Worker:
    """Connectors and their tasks.

    `registry_url`: address of the schema registry, or a registry itself. Raises ConfigError when a configuration
    cannot be run.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        registry_url: str | Registry,
        connectors: Sequence[Mapping[str, str]],
        *,
        offset_storage_topic: str = "connect-offsets",
        worker_id: str = "127.0.0.1:8083",
    ) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._registry: Registry = (
            RegistryClient(registry_url, patience_s=REGISTRY_PATIENCE_S)
            if isinstance(registry_url, str)
            else registry_url
        )
        self._offsets_topic = offset_storage_topic
        self._worker_id = worker_id
        self.connectors = {config.name: config for config in map(read_config, connectors)}
        self._tasks: dict[str, list[TaskThread]] = {name: [] for name in self.connectors}
        if twice := [name for name, count in Counter(c["name"] for c in connectors).items() if count > 1]:
            raise ConfigError(f"name={twice[0]!r} is given to more than one connector; names are unique")

    def start(self, stop: Event) -> None:
        """Start all tasks, once Kafka and every connector's system were reached.

        Raises BrokerUnreachable or SystemUnreachable, with a message of one line; afterwards the tasks wait for what
        is not there.
        """
        wait_for_broker(self._bootstrap_servers, BROKER_TIMEOUT_S)
        for config in self.connectors.values():
            config.connector.check()
        if any(config.connector.kind == "source" for config in self.connectors.values()):
            create_offsets_topic(self._bootstrap_servers, self._offsets_topic)
        for config in self.connectors.values():
            self._start(config, stop)
        log.info("worker started", connectors=", ".join(self.connectors) or "none")

    def run(self, stop: Event) -> None:
        """Start, and return when told to stop and all tasks have ended. Raises as `start` does."""
        self.start(stop)
        stop.wait()
        self.join()

    def join(self) -> None:
        """Wait until the tasks, told to stop, have ended; those that take too long are left behind."""
        deadline = time.monotonic() + STOP_TIMEOUT_S
        tasks = [task for tasks in self._tasks.values() for task in tasks]
        late = [task.name for task in tasks if not task.join(max(0.0, deadline - time.monotonic()))]
        if late:
            log.warning("tasks left behind", tasks=", ".join(late))

    def status(self) -> dict[str, dict[str, Any]]:
        """Give every connector's status by name, each as Kafka Connect's REST interface does."""
        return {name: self.connector_status(name) for name in self.connectors}

    def connector_status(self, name: str) -> dict[str, Any]:
        """Give one connector's status. Raises KeyError."""
        config, worker = self.connectors[name], {"worker_id": self._worker_id}
        tasks = [{"id": i} | worker | task.status() for i, task in enumerate(self._tasks[name])]
        connector = {"state": "RUNNING" if tasks else "UNASSIGNED"} | worker
        return {"name": name, "connector": connector, "tasks": tasks, "type": config.connector.kind}

    def _start(self, config: ConnectorConfig, stop: Event) -> None:
        shares = config.connector.task_settings(config.settings["tasks.max"])
        self._tasks[config.name] = [
            TaskThread(f"{config.name}-{task_id}", partial(self._runner, config, task_id, settings))
            for task_id, settings in enumerate(shares)
        ]
        for task in self._tasks[config.name]:
            task.start(stop)

    def _runner(self, config: ConnectorConfig, task_id: int, settings: Settings) -> Runner:
        task = config.connector.task(settings)
        if isinstance(task, SinkTask):
            return SinkRunner(config, task_id, task, self._bootstrap_servers, self._registry)
        return SourceRunner(config, task_id, task, self._bootstrap_servers, self._registry, self._offsets_topic)
