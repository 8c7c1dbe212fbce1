"""The client: what it remembers, and what it does while the registry is away."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tailrace.registry.client import Registry, RegistryClient
from tailrace.registry.errors import IncompatibleSchema, RegistryError, RegistryUnreachable, SchemaNotFound
from tailrace.testing.broker import BrokerProcess
from tailrace.testing.port import free_port
from tailrace.testing.registry import LocalRegistry, RegistryProcess

V1 = '{"type":"record","name":"User","fields":[{"name":"a","type":"string"}]}'
V2 = '{"type":"record","name":"User","fields":[{"name":"a","type":"string"},{"name":"b","type":"int","default":0}]}'
OTHER = '"string"'


@pytest.fixture
def client(server: RegistryProcess) -> Iterator[RegistryClient]:
    client = RegistryClient(server.url)
    yield client
    client.close()


@pytest.fixture(params=["server", "local"])
def registry(request: pytest.FixtureRequest) -> Registry:
    """The client of a server, and the stand-in for tests, which must not differ."""
    if request.param == "local":
        return LocalRegistry()
    client: RegistryClient = request.getfixturevalue("client")
    return client


def test_schema_is_registered_and_found(registry: Registry, subject: str) -> None:
    schema_id = registry.register(subject, V1)
    assert registry.lookup(subject, V1) == schema_id
    assert registry.schema(schema_id) == V1
    second = registry.register(subject, V2)
    latest = registry.latest(subject)
    assert (latest.id, latest.version, latest.schema) == (second, 2, V2)
    assert subject in registry.subjects()


def test_incompatible_schema_raises_and_is_told_before(registry: Registry, subject: str) -> None:
    assert registry.check(subject, OTHER) == []
    registry.register(subject, V1)
    assert registry.check(subject, V2) == []
    assert "TYPE_MISMATCH" in registry.check(subject, OTHER)[0]
    with pytest.raises(IncompatibleSchema, match="TYPE_MISMATCH") as caught:
        registry.register(subject, OTHER)
    assert caught.value.code == 40901


def test_what_is_not_there_raises(registry: Registry, subject: str) -> None:
    for code, ask in (
        (40401, lambda: registry.lookup(subject, V1)),
        (40401, lambda: registry.latest(subject)),
        (40403, lambda: registry.schema(999_999)),
    ):
        with pytest.raises(SchemaNotFound) as caught:
            ask()
        assert caught.value.code == code
    with pytest.raises(RegistryError, match="Invalid schema"):
        registry.register(subject, "{")


def test_slashes_in_a_subject_are_kept(client: RegistryClient, subject: str) -> None:
    name = f"{subject}/a b?c%2F"
    assert client.register(name, V1) == client.latest(name).id


@pytest.mark.parametrize("url", ["127.0.0.1:8081", "ftp://127.0.0.1", "http://"])
def test_url_must_be_one(url: str) -> None:
    with pytest.raises(ValueError, match="is no URL"):
        RegistryClient(url)


def test_nobody_there_is_told_after_the_patience() -> None:
    client = RegistryClient(f"http://127.0.0.1:{free_port()}", patience_s=0.2)
    begin = time.monotonic()
    with pytest.raises(RegistryUnreachable, match="is it running"):
        client.schema(1)
    assert time.monotonic() - begin < 2


def test_readiness_is_awaited(broker: Any, unique: Callable[[str], str]) -> None:
    process = RegistryProcess(broker.bootstrap_servers, topic=unique("schemas"))
    client = RegistryClient(process.url)
    with pytest.raises(RegistryUnreachable):
        client.wait_ready(0.1)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(client.wait_ready, 30)
        with process:
            waiting.result()


def test_restarted_registry_knows_all_and_is_waited_for(
    broker: Any, unique: Callable[[str], str], subject: str
) -> None:
    """A client with an open connection goes on as if nothing had happened, and reads what it did not remember."""
    with RegistryProcess(broker.bootstrap_servers, topic=unique("schemas")) as process, ThreadPoolExecutor() as pool:
        client, fresh = RegistryClient(process.url), RegistryClient(process.url)
        schema_id = client.register(subject, V1)
        fresh.wait_ready()
        process.kill()
        asked = pool.submit(fresh.schema, schema_id)
        registered = pool.submit(client.register, subject, V2)
        process.start()
        assert asked.result() == V1
        assert registered.result() == schema_id + 1
        assert fresh.lookup(subject, V1) == schema_id


def test_registry_outlives_its_broker(tmp_path: Path, subject: str) -> None:
    """While the broker is away it answers from what it knows; what it is told to register waits."""
    with BrokerProcess(tmp_path) as broker, RegistryProcess(broker.bootstrap_servers) as process:
        client = RegistryClient(process.url)
        schema_id = client.register(subject, V1)
        broker.kill()
        assert RegistryClient(process.url).latest(subject).id == schema_id
        with ThreadPoolExecutor() as pool:
            registered = pool.submit(RegistryClient(process.url).register, subject, V2)
            broker.start()
            assert registered.result() == schema_id + 1


def test_what_cannot_change_is_remembered(broker: Any, unique: Callable[[str], str], subject: str) -> None:
    with RegistryProcess(broker.bootstrap_servers, topic=unique("schemas")) as process:
        client = RegistryClient(process.url, patience_s=0.1)
        schema_id = client.register(subject, V1)
        assert client.schema(schema_id) == V1
        process.kill()
        assert client.register(subject, V1) == schema_id
        assert client.lookup(subject, V1) == schema_id
        assert client.schema(schema_id) == V1
        with pytest.raises(RegistryUnreachable):
            client.latest(subject)
