"""The worker as a whole: what it refuses, what it tells, and its REST interface."""

import asyncio
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest

from tailrace.client import BrokerUnreachable
from tailrace.connect.app import make_app
from tailrace.connect.errors import ConfigError, SystemUnreachable
from tailrace.connect.worker import Worker
from tailrace.testing.port import free_port
from tailrace.testing.registry import LocalRegistry
from tests.tailrace.connect.accounts import AccountDatabase, eventually, running


def ask(worker: Worker, path: str, method: str = "GET") -> httpx.Response:
    """Send a request to the application, without a server."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(make_app(worker))
        async with httpx.AsyncClient(transport=transport, base_url="http://connect") as client:
            return await client.request(method, path)

    return asyncio.run(send())


def sink(name: str, url: str) -> dict[str, str]:
    return {"name": name, "connector.class": "SqlSink", "topics": name, "connection.url": url}


def test_names_are_unique() -> None:
    with pytest.raises(ConfigError, match="name='a' is given to more than one connector"):
        Worker("127.0.0.1:1", LocalRegistry(), [sink("a", "sqlite://"), sink("a", "sqlite://")])


def test_a_database_that_is_not_there_at_the_start_is_told_in_one_line(broker: Any, tmp_path: Path) -> None:
    url = f"postgresql://postgres@127.0.0.1:{free_port()}/d"
    with pytest.raises(SystemUnreachable) as error:
        Worker(broker.bootstrap_servers, LocalRegistry(), [sink("a", url)]).run(Event())
    assert "Connection refused" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_broker_that_is_not_there_at_the_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tailrace.connect.worker.BROKER_TIMEOUT_S", 0.2)
    with pytest.raises(BrokerUnreachable, match="no Kafka broker answered at 127"):
        Worker(f"127.0.0.1:{free_port()}", LocalRegistry(), [sink("a", "sqlite://")]).run(Event())


def test_the_rest_interface_answers_as_kafka_connect_does(
    broker: Any, registry: LocalRegistry, sqlite: AccountDatabase, make_topic: Any
) -> None:
    topic = make_topic("requests")
    config = sink(topic, sqlite.url)
    with running(broker, registry, config) as worker:
        eventually(lambda: worker.connector_status(topic)["tasks"][0]["state"] == "RUNNING")
        status = {
            "name": topic,
            "connector": {"state": "RUNNING", "worker_id": "127.0.0.1:8083"},
            "tasks": [{"id": 0, "state": "RUNNING", "worker_id": "127.0.0.1:8083"}],
            "type": "sink",
        }
        info = {"name": topic, "config": config, "tasks": [{"connector": topic, "task": 0}], "type": "sink"}
        assert set(ask(worker, "/").json()) == {"version", "commit", "kafka_cluster_id"}
        assert ask(worker, "/connectors").json() == [topic]
        assert ask(worker, "/connectors?expand=status&expand=info").json() == {topic: {"status": status, "info": info}}
        assert ask(worker, f"/connectors/{topic}").json() == info
        assert ask(worker, f"/connectors/{topic}/config").json() == config
        assert ask(worker, f"/connectors/{topic}/status").json() == status
        assert {p["class"]: p["type"] for p in ask(worker, "/connector-plugins").json()} == {
            "SqlSink": "sink",
            "SqlSource": "source",
        }


@pytest.mark.parametrize(
    ("method", "path", "code", "message"),
    [
        ("GET", "/connectors/nothing", 404, "Connector nothing not found"),
        ("GET", "/connectors/nothing/status", 404, "Connector nothing not found"),
        ("GET", "/nowhere", 404, "Not Found"),
        ("DELETE", "/connectors", 405, "Method Not Allowed"),
    ],
)
def test_a_rest_error_has_code_and_message(method: str, path: str, code: int, message: str) -> None:
    answer = ask(Worker("127.0.0.1:1", LocalRegistry(), []), path, method)
    assert (answer.status_code, answer.json()) == (code, {"error_code": code, "message": message})
