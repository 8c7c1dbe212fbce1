"""Waiting for what every service needs: its topics and the registry."""

import threading
import time
from collections.abc import Iterable

from confluent_kafka import KafkaException

from agio.settings import Settings
from tailrace.client import BrokerUnreachable, wait_for_topics
from tailrace.registry.client import RegistryClient
from tailrace.registry.errors import RegistryUnreachable

TIMEOUT_S = 60.0
STEP_S = 0.5


def is_platform_ready(
    settings: Settings, registry: RegistryClient, topics: Iterable[str], stop: threading.Event
) -> bool:
    """Wait until the topics exist and the registry answers, in small steps to notice `stop`; False when it was set.

    Raises BrokerUnreachable, LookupError or RegistryUnreachable for what is not there after a minute.
    """
    wanted = list(topics)
    deadline = time.monotonic() + TIMEOUT_S
    while not stop.is_set():
        try:
            wait_for_topics(settings.bootstrap_servers, wanted, timeout_s=STEP_S)
            registry.wait_ready(STEP_S)
            return True
        except (BrokerUnreachable, KafkaException, LookupError, RegistryUnreachable):
            if time.monotonic() > deadline:
                raise
    return False
