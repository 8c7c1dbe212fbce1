"""Instances on real brokers answer for each other, whatever becomes of one of them."""

import threading
import time

import httpx
import pytest

from tailrace.client import Topic, ensure_topics, partition_of, producer
from tailrace.listening import AddressUnavailable, address_of, take_address
from tailrace.streams import Stored, StreamsConfig, Topology, run
from tailrace.streams.serving.forwarding import ANSWERED_BY
from tailrace.testing.port import free_port
from tests.tailrace.streams.application import PARTITIONS, Application
from tests.tailrace.streams.chaos.instances import Instances
from tests.tailrace.streams.test_queries import counting

KEYS = [f"k{number}" for number in range(30)]


def wait_until(condition, timeout_s=60):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Cluster(Instances):
    """Two processes that count lines, and what they are asked."""

    def __init__(self, bootstrap_servers, application, folder):
        super().__init__(bootstrap_servers, application, folder, listen="127.0.0.1:0")
        self._client = httpx.Client(trust_env=False)
        self._producer = producer(bootstrap_servers)
        self._topic = f"{application}-lines"

    def send(self, keys):
        for key in keys:
            self._producer.produce(self._topic, b"line", key=key)
        assert self._producer.flush(60) == 0

    def ask(self, name, path):
        return self._client.get(f"http://{self.address(name)}{path}", timeout=10)

    def is_ready(self, name):
        self.check()
        try:
            return self.address(name) is not None and self.ask(name, "/health/ready").status_code == 200
        except httpx.ConnectError:
            return False

    def owners(self, name, counts):
        """Who answered when this one was asked for each key; None as long as it does not answer for all with counts."""
        self.check()
        answers = {key: self.ask(name, f"/tables/lines/{key}") for key in counts}
        found = {key: answer.json().get("value") for key, answer in answers.items()}
        return {answer.headers[ANSWERED_BY] for answer in answers.values()} if found == counts else None

    def entries(self, name):
        """All entries, page by page, and who gave them."""
        entries, owners, cursor = {}, set(), ""
        while cursor is not None:
            response = self.ask(name, f"/tables/lines?limit=7{cursor and '&cursor='}{cursor}")
            assert response.status_code == 200, response.text
            page = response.json()
            assert len(page["entries"]) == 7 or page["next"] is None
            entries |= {entry["key"]: entry["value"] for entry in page["entries"]}
            owners |= set(response.headers[ANSWERED_BY].split(", "))
            cursor = page["next"]
        return entries, owners


def test_each_answers_for_all_also_when_one_has_been_killed(engine, unique, tmp_path):
    application = unique("counts")
    ensure_topics(
        engine.bootstrap_servers, [Topic(f"{application}-{topic}", PARTITIONS) for topic in ("lines", "counts")]
    )
    with Cluster(engine.bootstrap_servers, application, tmp_path) as cluster:
        cluster.start("1")
        cluster.start("2")
        wait_until(lambda: cluster.is_ready("1") and cluster.is_ready("2"))
        cluster.send(KEYS)
        counts = dict.fromkeys(KEYS, 1)
        for name in ("1", "2"):
            wait_until(lambda name=name: cluster.owners(name, counts) == {"1", "2"})
            assert cluster.entries(name) == (counts, {"1", "2"})

        of_first = next(key for key in KEYS if cluster.ask("2", f"/tables/lines/{key}").headers[ANSWERED_BY] == "1")
        cluster.kill("1")
        gone = cluster.ask("2", f"/tables/lines/{of_first}")
        assert (gone.status_code, gone.headers["retry-after"]) == (503, "1"), gone.text
        wait_until(lambda: cluster.owners("2", counts) == {"2"})
        assert cluster.entries("2") == (counts, {"2"})

        cluster.start("1")
        wait_until(lambda: cluster.is_ready("1") and cluster.owners("1", counts) == {"1", "2"})
        cluster.send(KEYS)
        counts = dict.fromkeys(KEYS, 2)
        for name in ("1", "2"):
            wait_until(lambda name=name: cluster.owners(name, counts) == {"1", "2"})
        cluster.stop("1")
        wait_until(lambda: [each["name"] for each in cluster.ask("2", "/instances").json()] == ["2"])


SEEN = Stored("seen", str)


class Seen:
    """Keeps each value with the key that it came with, which is in another partition than the value would be."""

    def __init__(self, context):
        self._put = context.store(SEEN).put

    def process(self, key, value):
        self._put(value, key)


def seeing(name, prefix):
    topology = Topology(name)
    topology.stream(f"{prefix}lines", str).process(Seen, stores=[SEEN])
    topology.global_table(f"{prefix}rates", int)
    return topology


def test_each_answers_for_what_processors_keep_and_for_global_tables(engine, unique, tmp_path):
    application = Application(engine.bootstrap_servers, unique("seen"), tmp_path, seeing)
    lines, rates = f"{application.prefix}lines", f"{application.prefix}rates"
    addresses = {name: f"127.0.0.1:{free_port()}" for name in ("1", "2")}

    def ask(name, path):
        return httpx.get(f"http://{addresses[name]}{path}", timeout=10, trust_env=False)

    def answers(name, path, content):
        response = ask(name, path)
        return response.headers[ANSWERED_BY] if response.status_code == 200 and response.json() == content else None

    with (
        application.start("1", listen=addresses["1"], in_memory=["seen", rates]),
        application.start("2", listen=addresses["2"]),
    ):
        for key in KEYS:
            application.producer.produce(lines, f"line of {key}", key=key)
        application.producer.produce(rates, (5).to_bytes(8, "big"), key="usd")
        assert application.producer.flush(60) == 0
        for name in ("1", "2"):
            wait_until(lambda name=name: answers(name, f"/tables/{rates}/usd", {"key": "usd", "value": 5}) == name)
            by = set()
            for key in KEYS:
                line, partition = f"line of {key}", partition_of(key.encode(), PARTITIONS)
                path, content = f"/tables/seen/line%20of%20{key}", {"key": line, "value": key}
                wait_until(lambda n=name, p=f"{path}?partition={partition}", c=content: answers(n, p, c))
                by.add(ask(name, f"{path}?partition={partition}").headers[ANSWERED_BY])
                is_there = partition_of(line.encode(), PARTITIONS) == partition
                assert ask(name, path).status_code == (200 if is_there else 404)
            assert by == {"1", "2"}
            assert {each["value"] for each in ask(name, "/tables/seen").json()["entries"]} == set(KEYS)


def test_the_address_is_taken_before_anything_else():
    with take_address("127.0.0.1", 0) as server:
        server.listen()
        config = StreamsConfig("nowhere:1", None, listen=address_of(server))
        with pytest.raises(AddressUnavailable, match=r"in use; .* with StreamsConfig\(listen=\.\.\.\)"):
            run(counting("counts", ""), config, threading.Event())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"listen": "8090"}, "'8090' is no address"),
        ({"listen": "0.0.0.0:0"}, r"nobody can be reached at 0\.0\.0\.0:\d+; say where by .*advertised"),
        ({"listen": ":0", "advertised": "here"}, "'here' is no address"),
    ],
)
def test_an_address_that_is_none_is_told(settings, message):
    with pytest.raises(ValueError, match=message):
        run(counting("counts", ""), StreamsConfig("nowhere:1", None, **settings), threading.Event())


def test_who_asks_for_nothing_pays_nothing(broker, unique, tmp_path):
    application = Application(broker.bootstrap_servers, unique("quiet"), tmp_path, counting)
    with application.start("1"):
        names = {thread.name for thread in threading.enumerate()}
    assert not names & {"queries", f"{application.name}-instances"}
