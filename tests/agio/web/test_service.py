"""The service as a whole: begins, waits, survives what happens to its platform, ends."""

import shutil
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from agio.contracts import topics
from agio.settings import Settings
from agio.setup import set_up
from agio.web import service
from tailrace.client import read_to_end
from tailrace.listening import AddressUnavailable
from tailrace.testing.broker import BrokerProcess
from tailrace.testing.port import free_port
from tailrace.testing.registry import RegistryProcess
from tests.agio.web.conftest import Platform
from tests.agio.web.others import Others
from tests.agio.web.running import Person, WebService, eventually
from tests.agio.web.view.test_fold import content


def test_a_taken_port_is_told_before_anything_else(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AddressUnavailable, match=f"cannot listen on 127.0.0.1:{port}"):
            service.run(Settings(data=tmp_path, port=port), threading.Event())
    assert not list(tmp_path.iterdir())


def test_says_what_it_waits_for_and_opens_when_it_is_there(tmp_path: Path) -> None:
    kafka_port, registry_port = free_port(), free_port()
    web = WebService(f"127.0.0.1:{kafka_port}", f"http://127.0.0.1:{registry_port}", tmp_path / "web").start()
    person = Person(web.url)
    assert_not_ready(person, f"no Kafka broker answered at 127.0.0.1:{kafka_port}")
    answer = person.get("/api/rates")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "starting")
    assert answer.headers["retry-after"] == "1"
    assert person.get("/").status_code == 200
    with BrokerProcess(port=kafka_port) as broker:
        assert_not_ready(person, "has no topic accounts")
        with RegistryProcess(broker.bootstrap_servers, registry_port) as registry:
            set_up(broker.bootstrap_servers, registry.url)
            web.wait_ready()
            registry.kill()
            assert_not_ready(person, "the schema registry")
            registry.start()
            web.wait_ready()
            assert person.sign_up().status_code == 201
        assert web.stop() < 2.0
    assert web.failure is None


def assert_not_ready(person: Person, message: str) -> None:
    def told() -> bool:
        answer = person.get("/health/ready")
        return answer.status_code == 503 and message in answer.json()["error"]["message"]

    eventually(told, 20)


def test_ends_at_once_when_it_waits_for_a_platform_that_is_not_there(tmp_path: Path) -> None:
    web = WebService(f"127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}", tmp_path).start()
    assert web.stop() < 2.0
    assert web.failure is None


def everything(person: Person) -> list[Any]:
    paths = ("/api/account", "/api/wallet", "/api/transactions")
    return [person.get(path).json() for path in paths]


def test_a_restart_keeps_everything_and_a_deleted_view_is_built_again(platform: Platform, tmp_path: Path) -> None:
    web = WebService(platform.bootstrap_servers, platform.schema_registry, tmp_path, 7)
    with web:
        ada = Person(web.url).with_account()
        ada.outcome("deposits", amount="50.00", currency="EUR")
        ada.outcome("withdrawals", amount="70.00", currency="EUR", iban="DE89370400440532013000")
        before = everything(ada)
    with web:
        assert everything(ada) == before
    view = tmp_path / "web-7" / "view.db"
    kept_up = content(view)
    shutil.rmtree(view.parent)
    with web:
        assert everything(ada) == before
    rebuilt = content(view)
    assert {table: rows for table, rows in rebuilt.items() if table != "offsets"} == {
        table: rows for table, rows in kept_up.items() if table != "offsets"
    }


def test_an_undecodable_record_is_skipped(platform: Platform, tmp_path: Path) -> None:
    with WebService(platform.bootstrap_servers, platform.schema_registry, tmp_path) as web:
        for contract in (topics.TRANSACTIONS, topics.EXCHANGE_RATES):
            platform.others.produce_bytes(contract, b"key", b"no Avro")
        ada = Person(web.url).with_account()
        assert ada.outcome("deposits", amount="1.00", currency="EUR")["status"] == "succeeded"


def test_what_was_accepted_survives_a_killed_broker(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path / "broker") as broker, RegistryProcess(broker.bootstrap_servers) as registry:
        set_up(broker.bootstrap_servers, registry.url)
        with Others(broker.bootstrap_servers, registry.url) as others:
            web = WebService(broker.bootstrap_servers, registry.url, tmp_path / "web")
            with web, ThreadPoolExecutor(4) as threads:
                ada = Person(web.url).with_account()
                others.holds_outcomes.set()
                answers = threads.map(lambda _: ada.submit("deposits", amount="1.00", currency="EUR"), range(200))
                accepted = [next(answers).json()["transaction_id"] for _ in range(20)]
                broker.kill()
                broker.start()
                accepted += [answer.json()["transaction_id"] for answer in answers if answer.status_code == 202]
                others.holds_outcomes.clear()
                assert len(accepted) > 20
                for transaction_id in accepted:
                    assert ada.transaction(transaction_id, wait=20)["status"] == "succeeded"
            recorded = [
                m.value() or b"" for m in read_to_end(broker.bootstrap_servers, [topics.TRANSACTION_REQUESTS.topic])
            ]
            assert len(set(accepted)) == len(accepted)
            for transaction_id in accepted:
                assert sum(transaction_id.encode() in value for value in recorded) == 1


def test_two_instances_show_the_same(platform: Platform, web: WebService, tmp_path: Path) -> None:
    with WebService(platform.bootstrap_servers, platform.schema_registry, tmp_path, 2) as second:
        ada = Person(web.url).with_account()
        wish = ada.submit("deposits", "key", amount="2.00", currency="EUR").json()
        elsewhere = Person(second.url)
        elsewhere.cookies = ada.cookies
        found = eventually(lambda: elsewhere.get(f"/api/transactions/{wish['transaction_id']}", params={"wait": 5}))
        assert found.json()["status"] == "succeeded"
        again = elsewhere.submit("deposits", "key", amount="2.00", currency="EUR")
        assert again.json() == {"transaction_id": wish["transaction_id"], "status": "succeeded"}
        assert httpx.get(f"{second.url}/health/live").json() == {"status": "live"}
