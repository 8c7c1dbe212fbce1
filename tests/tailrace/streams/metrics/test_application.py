"""The metrics of a real application: exactly what it did, whoever looks and whenever."""

import threading
import time

import httpx
import pytest
from structlog.testing import capture_logs

from tailrace.client import Topic, ensure_topics, producer
from tailrace.streams import Metrics, StreamsConfig, Topology, TopologyError, lag, restore, run
from tailrace.streams.worker import Worker
from tailrace.testing.port import free_port
from tests.tailrace.metrics.scrape import Scrape
from tests.tailrace.streams.application import PARTITIONS, Application
from tests.tailrace.streams.sums import Add, PackSerde

PREFIX = "tailrace_streams_"


@pytest.fixture
def application(broker, unique, tmp_path):
    return Application(broker.bootstrap_servers, unique("sums"), tmp_path)


def requests(count, start=0):
    return [(f"k{number % 20}", Add(str(number), 1)) for number in range(start, start + count)]


def scrape(metrics):
    return Scrape(metrics.text().decode(), PREFIX)


def wait_until(condition, timeout_s=60):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_scrape_shows_what_was_done(application):
    sent, metrics = requests(300), Metrics()
    application.send(sent)
    application.producer.produce(f"{application.prefix}additions", b"\xff", key="k1")
    application.producer.flush(60)
    topic, name = f"{application.prefix}additions", application.name
    with application.start(metrics=metrics, metrics_recording_level="debug"):
        wait_until(lambda: scrape(metrics).total("records_total") == 301)
        wait_until(lambda: scrape(metrics).all("lag_records") == [0] * PARTITIONS)
        seen = scrape(metrics)
    assert seen.total("records_total", application=name, topic=topic) == 301
    assert seen.total("record_bytes_total", topic=topic) == sum(len(PackSerde(Add).encode(r)) for _, r in sent) + 1
    assert seen.total("produced_records_total") == 301
    assert seen.total("dead_letters_total") == 1
    assert seen.total("skipped_records_total") == seen.total("late_records_total") == 0
    assert seen.total("operator_records_total", operator=topic) == 300
    assert seen.total("operator_errors_total", operator=topic) == 1
    assert 1 <= seen.value("commits_total", application=name) == seen.value("commit_seconds_count", application=name)
    assert seen.value("aborts_total", application=name) == seen.value("rollbacks_total", application=name) == 0
    assert seen.value("rebalances_total", application=name) >= 1
    assert seen.value("tasks", application=name, state="running") == PARTITIONS
    assert seen.value("tasks", application=name, state="restoring") == 0
    assert seen.value("ready", application=name) == seen.value("info", application=name, instance="1") == 1
    assert PARTITIONS <= seen.total("record_latency_seconds_count") <= 301
    assert 0 < seen.total("record_latency_seconds_sum") / seen.total("record_latency_seconds_count") < 60
    for partition in range(PARTITIONS):
        assert seen.value("lag_records", application=name, task=f"{topic}-{partition}", topic=topic) == 0
    assert seen.total("store_cached_entries", store="sums") == 20
    assert "process_resident_memory_bytes" in seen.metrics
    after = scrape(metrics)
    assert after.total("records_total") == 301
    assert after.value("ready", application=name) == 0
    assert after.value("tasks", application=name, state="running") == 0


@pytest.mark.parametrize("has_folder", [True, False])
def test_a_restarted_application_shows_what_it_restored(application, has_folder):
    application.send(requests(300))
    with application.start("1"):
        application.wait_for_added(300)
    application.send(requests(50, start=300))
    metrics = Metrics()
    with application.start("2", has_folder=has_folder, metrics=metrics):
        wait_until(lambda: scrape(metrics).total("records_total") == 50)
        assert scrape(metrics).total("restored_records_total") == 300
        assert scrape(metrics).total("restore_remaining_records") == 0
        # For each key its sum, for each request its identity. RocksDB estimates, and counts what it has twice.
        wait_until(lambda: scrape(metrics).total("store_entries") >= 20 + 350)
        assert has_folder or scrape(metrics).total("store_entries") == 20 + 350
    assert scrape(metrics).total("produced_records_total") == 50


def test_restoring_tells_how_far_it_is(application, monkeypatch):
    application.send(requests(300))
    with application.start("1"):
        application.wait_for_added(300)
    monkeypatch.setattr(restore, "BATCH", 20)
    monkeypatch.setattr(restore, "PROGRESS_INTERVAL_S", 0.0)
    metrics, seen = Metrics(), []
    tell = restore._log_progress

    def look(*progress):
        seen.append((scrape(metrics), metrics.check()))
        tell(*progress)

    monkeypatch.setattr(restore, "_log_progress", look)
    with capture_logs() as lines, application.start("2", metrics=metrics):
        pass
    told = [line for line in lines if line["event"] == "restoring"]
    assert len(told) == len(seen) >= 300 / 20
    assert {line["application"] for line in told} == {application.name}
    assert all(0 <= line["records"] <= 300 <= line["of"] for line in told)
    assert [line["records"] for line in told] == sorted(line["records"] for line in told)
    assert told[-1]["seconds_left"] == 0
    (done,) = [line for line in lines if line["event"] == "restored"]
    assert done["records"] == 300
    for scraped, line in zip(seen, told, strict=True):
        assert scraped[0].total("restored_records_total") == line["records"]
        assert scraped[0].total("restore_remaining_records") == line["of"] - line["records"]
        assert scraped[0].value("tasks", application=application.name, state="restoring") == PARTITIONS


def test_lag_is_what_was_not_processed(broker, unique, tmp_path, monkeypatch):
    name, permits, metrics, stop = unique("lagging"), threading.Semaphore(0), Metrics(), threading.Event()
    monkeypatch.setattr(lag, "INTERVAL_S", 0.0)
    ensure_topics(broker.bootstrap_servers, [Topic(f"{name}-in")])
    topology = Topology(name)
    topology.stream(f"{name}-in", bytes).foreach(lambda value: permits.acquire())
    writer = producer(broker.bootstrap_servers)
    for _ in range(50):
        writer.produce(f"{name}-in", b"value")
    writer.flush(60)
    config = StreamsConfig(broker.bootstrap_servers, tmp_path, max_batch=1)
    thread = threading.Thread(target=run, args=(topology, config, stop), kwargs={"metrics": metrics}, daemon=True)
    thread.start()
    for processed in (10, 30, 50):
        permits.release(10 if processed == 10 else 20)
        wait_until(lambda left=50 - processed: scrape(metrics).all("lag_records") == [left])
    stop.set()
    thread.join(60)


def test_a_scrape_that_takes_long_holds_up_nothing(application, monkeypatch):
    metrics, looking, go_on = Metrics(), threading.Event(), threading.Event()
    lags = Worker.lags

    def slow(self):
        looking.set()
        assert go_on.wait(60)
        return lags(self)

    with application.start(metrics=metrics):
        monkeypatch.setattr(Worker, "lags", slow)
        texts = []
        scraping = threading.Thread(target=lambda: texts.append(metrics.text()), daemon=True)
        scraping.start()
        assert looking.wait(60)
        application.send(requests(500))
        application.wait_for_added(500)
        assert texts == []
        go_on.set()
        scraping.join(60)
    assert len(texts) == 1


def test_scrapes_while_instances_come_and_go(application):
    metrics, done, failures = [Metrics(), Metrics()], threading.Event(), []

    def look(each):
        while not done.is_set():
            try:
                scrape(each)
            except Exception as failure:
                failures.append(failure)
                return

    scraping = [threading.Thread(target=look, args=(each,), daemon=True) for each in metrics]
    for thread in scraping:
        thread.start()
    with application.start("1", metrics=metrics[0]):
        application.send(requests(1000))
        application.wait_for_added(1000)
        with application.start("2", metrics=metrics[1]):
            application.send(requests(1000, start=1000))
            application.wait_for_added(2000)
        application.send(requests(1000, start=2000))
        application.wait_for_added(3000)
    done.set()
    for thread in scraping:
        thread.join(60)
    assert failures == []
    assert sum(scrape(each).total("records_total") for each in metrics) == 3000


def test_metrics_and_readiness_are_served_on_the_port(application):
    port = free_port()
    address = f"127.0.0.1:{port}"
    with application.start(metrics_port=port):
        ready = httpx.get(f"http://{address}/ready")
        assert (ready.status_code, ready.text) == (200, "ready\n")
        application.send(requests(10))
        wait_until(lambda: Scrape.of(address, PREFIX).total("records_total") == 10)
        assert httpx.get(f"http://{address}/").status_code == 404
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://{address}/ready")


def test_who_is_not_running_is_not_ready(broker, unique, tmp_path):
    """It waits for its topics, and ends because they have different numbers of partitions."""
    from tests.tailrace.streams.sums import topology

    name, port, failures = unique("sums"), free_port(), []

    def target():
        try:
            config = StreamsConfig(broker.bootstrap_servers, tmp_path, metrics_port=port)
            run(topology(name, f"{name}-"), config, threading.Event(), metrics=metrics)
        except TopologyError as failure:
            failures.append(failure)

    metrics = Metrics()
    thread = threading.Thread(target=target, daemon=True)
    thread.start()

    def answer():
        try:
            return httpx.get(f"http://127.0.0.1:{port}/ready")
        except httpx.ConnectError:
            return None

    wait_until(answer)
    assert (answer().status_code, answer().text) == (503, "starting\n")
    topics = [Topic(f"{name}-additions", 2), Topic(f"{name}-added", 3), Topic(f"{name}-refused", 2)]
    ensure_topics(broker.bootstrap_servers, [*topics, Topic("dead-letters", 1)])
    thread.join(60)
    assert len(failures) == 1
    assert metrics.check() == "stopped"
