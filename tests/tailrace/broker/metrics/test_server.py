"""`/metrics` and `/ready` of a running broker, read as Prometheus reads them."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tailrace.broker.metrics.source import BrokerMetrics
from tailrace.client import Topic, TransactionalProducer, ensure_topics, producer, read_to_end
from tailrace.metrics.server import READY, MetricsServer
from tailrace.testing.broker import BrokerProcess
from tests.tailrace.metrics.scrape import Scrape


def scrape(address: str) -> Scrape:
    return Scrape.of(address, "tailrace_broker_")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    with BrokerProcess(tmp_path, options=["--override=metrics.port=0"]) as process:
        yield process


def address(broker: BrokerProcess) -> str:
    return (broker.data_dir / "address.metrics").read_text()


def test_a_scrape_shows_what_was_done(broker: BrokerProcess) -> None:
    ensure_topics(broker.bootstrap_servers, [Topic("orders", partitions=3), Topic("empty")])
    writer = producer(broker.bootstrap_servers)
    for number in range(100):
        writer.produce("orders", f"value {number}", partition=number % 3)
    writer.flush(60)
    before = scrape(address(broker))
    assert len(list(read_to_end(broker.bootstrap_servers, ["orders"]))) == 100
    after = scrape(address(broker))
    assert after.value("ready") == 1
    assert after.value("topic_partitions", topic="orders") == 3
    assert after.value("topic_records_total", topic="orders") == 100
    assert after.value("topic_records_total", topic="empty") == 0
    assert (
        after.value("topic_size_bytes", topic="orders") == after.value("topic_appended_bytes_total", topic="orders") > 0
    )
    assert after.value("request_seconds_count", api="produce") >= 3
    assert after.value("request_seconds_bucket", api="produce", le="+Inf") == after.value(
        "request_seconds_count", api="produce"
    )
    assert after.value("sent_bytes_total") > before.value("sent_bytes_total")
    assert after.value("received_bytes_total") > before.value("received_bytes_total")
    assert after.value("connections_opened_total") > before.value("connections_opened_total")
    assert after.value("connections") >= 1
    assert after.value("journal_write_seconds_count") == after.value("journal_round_frames_count") > 0
    assert after.value("journal_written_bytes_total") == after.value("journal_file_bytes") > 0
    assert after.value("frames_waiting") == 0
    assert "process_resident_memory_bytes" in after.metrics


def test_an_open_transaction_is_seen(broker: BrokerProcess) -> None:
    ensure_topics(broker.bootstrap_servers, [Topic("orders")])
    writer = TransactionalProducer(broker.bootstrap_servers, "id")
    writer.begin()
    writer.produce("orders", "value")
    while scrape(address(broker)).value("topic_undecided_records", topic="orders") != 1:
        writer.poll(0.01)
    assert scrape(address(broker)).value("transactions_open") == 1
    writer.commit()
    assert scrape(address(broker)).value("transactions_open") == 0
    assert scrape(address(broker)).value("topic_undecided_records", topic="orders") == 0


def test_readiness_and_what_else_is_asked(broker: BrokerProcess) -> None:
    ready = httpx.get(f"http://{address(broker)}/ready")
    assert (ready.status_code, ready.text) == (200, "ready\n")
    assert httpx.get(f"http://{address(broker)}/").status_code == 404
    assert httpx.head(f"http://{address(broker)}/ready").status_code == 200
    assert httpx.post(f"http://{address(broker)}/ready").status_code == 501


def test_who_does_not_serve_yet_is_not_ready_but_tells_about_itself() -> None:
    metrics = BrokerMetrics(asyncio.new_event_loop())
    server = MetricsServer("127.0.0.1", 0, metrics)
    server.start()
    try:
        where = f"127.0.0.1:{server.port}"
        for state in ("recovering", "stopping"):
            answer = httpx.get(f"http://{where}/ready")
            assert (answer.status_code, answer.text) == (503, f"{state}\n")
            metrics.stop_serving()
        assert scrape(where).value("ready") == 0
    finally:
        server.close()
    assert "metrics" not in {thread.name for thread in threading.enumerate()}


def test_a_broker_whose_loop_does_not_turn_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    from tailrace.broker.metrics import source as module

    monkeypatch.setattr(module, "ANSWER_WITHIN_S", 0.05)
    loop = asyncio.new_event_loop()
    metrics = BrokerMetrics(loop)
    metrics.state = READY
    server = MetricsServer("127.0.0.1", 0, metrics)
    server.start()
    try:
        answer = httpx.get(f"http://127.0.0.1:{server.port}/ready")
        assert (answer.status_code, answer.text) == (503, "the broker did not answer within 0.05 s\n")
        turning = threading.Thread(target=loop.run_forever, daemon=True)
        turning.start()
        assert httpx.get(f"http://127.0.0.1:{server.port}/ready").status_code == 200
        loop.call_soon_threadsafe(loop.stop)
        turning.join()
    finally:
        server.close()
        loop.close()
