"""The pytest plugin: the fixture `kafka`, a real broker for tests of any Kafka code; see docs/testing.md.

pytest loads this module in every project that has tailrace installed, so it imports nothing that takes time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tailrace.testing.broker import BrokerProcess
    from tailrace.testing.kafka_fixture import Kafka


@pytest.fixture(scope="session")
def kafka_settings() -> Mapping[str, str]:
    """Settings of the broker by Kafka's names, to be overridden by a fixture of the same name."""
    return {}


@pytest.fixture(scope="session")
def kafka_broker(kafka_settings: Mapping[str, str]) -> Iterator[BrokerProcess]:
    """The broker of this test run, in a process of its own; its data is removed at the end."""
    from tailrace.testing.kafka_fixture import start_broker

    with start_broker(kafka_settings) as broker:
        yield broker


@pytest.fixture
def kafka(kafka_broker: BrokerProcess) -> Iterator[Kafka]:
    """The broker with topics and clients for one test, whose clients are closed at its end."""
    from tailrace.testing.kafka_fixture import Kafka

    with Kafka(kafka_broker) as kafka:
        yield kafka
