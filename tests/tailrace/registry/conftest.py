"""The registry server that tests of the HTTP API share."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tailrace.testing.registry import RegistryProcess

Subject = Callable[[], str]


@pytest.fixture(scope="session")
def server(broker: Any, unique: Callable[[str], str]) -> Iterator[RegistryProcess]:
    """A registry on the embedded broker, one for all tests that do not kill it."""
    with RegistryProcess(broker.bootstrap_servers, topic=unique("schemas")) as process:
        yield process


@pytest.fixture(scope="session")
def http(server: RegistryProcess) -> Iterator[httpx.Client]:
    """A plain HTTP client of the registry."""
    with httpx.Client(base_url=server.url) as client:
        yield client


@pytest.fixture
def subject(unique: Callable[[str], str]) -> str:
    """A subject that nobody used before."""
    return unique("orders-value")
