"""A database of either kind, topics, and a registry."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tailrace.client import Topic, ensure_topics
from tailrace.testing.registry import LocalRegistry
from tests.tailrace.connect.accounts import AccountDatabase


@pytest.fixture(scope="session")
def postgres_url(postgres: Any, unique: Callable[[str], str]) -> str:
    url: str = postgres.create_database(unique("accounts"))
    return url


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[AccountDatabase]:
    """For what does not depend on the kind of database."""
    made = AccountDatabase(f"sqlite:///{tmp_path}/accounts.db")
    yield made
    made.engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest) -> Iterator[AccountDatabase]:
    """A fresh database of either kind."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite")
        return
    made = AccountDatabase(request.getfixturevalue("postgres_url"))
    yield made
    made.engine.dispose()


@pytest.fixture
def registry() -> LocalRegistry:
    return LocalRegistry()


@pytest.fixture
def make_topic(broker: Any, unique: Callable[[str], str]) -> Callable[..., str]:
    def make(name: str, partitions: int = 2) -> str:
        name = unique(name)
        ensure_topics(broker.bootstrap_servers, [Topic(name, partitions)])
        return name

    return make
