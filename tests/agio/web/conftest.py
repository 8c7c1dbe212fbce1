"""A broker, a registry, the other services and a web service, for all tests of the web service."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agio.setup import set_up
from tailrace.testing.broker import BrokerProcess
from tailrace.testing.registry import RegistryProcess
from tests.agio.web.others import Others
from tests.agio.web.running import Person, WebService

MakePerson = Callable[[], Person]


@dataclass(frozen=True)
class Platform:
    bootstrap_servers: str
    schema_registry: str
    others: Others


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    with BrokerProcess() as broker, RegistryProcess(broker.bootstrap_servers) as registry:
        set_up(broker.bootstrap_servers, registry.url)
        with Others(broker.bootstrap_servers, registry.url) as others:
            others.quote("EUR", "USD", "1.080000", "1.090000")
            yield Platform(broker.bootstrap_servers, registry.url, others)


@pytest.fixture(scope="session")
def web(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebService]:
    data: Path = tmp_path_factory.mktemp("web")
    with WebService(platform.bootstrap_servers, platform.schema_registry, data) as service:
        yield service


@pytest.fixture
def others(platform: Platform) -> Others:
    return platform.others


@pytest.fixture
def person(web: WebService) -> Iterator[MakePerson]:
    """Makes people who use the web service."""
    people: list[Person] = []

    def make() -> Person:
        people.append(Person(web.url))
        return people[-1]

    yield make
    for one in people:
        one.close()
