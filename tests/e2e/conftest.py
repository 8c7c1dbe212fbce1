"""Exchanges on both engines."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.exchange import Exchange


@pytest.fixture(scope="module", params=["embedded", pytest.param("apache", marks=pytest.mark.kafka)])
def exchange(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """A running exchange, one for the tests of a module: on the embedded broker, and on Apache Kafka of its own."""
    folder: Path = tmp_path_factory.mktemp("exchange")
    if request.param == "embedded":
        with Exchange(folder) as exchange:
            yield exchange
        return
    from tailrace.testing.kafka import KafkaProcess

    with KafkaProcess() as kafka, Exchange(folder, bootstrap_servers=kafka.bootstrap_servers) as exchange:
        yield exchange
