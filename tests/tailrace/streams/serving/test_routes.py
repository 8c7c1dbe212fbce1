"""The routes of one instance that has all partitions: what is asked, what is answered, and what is refused."""

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from tailrace.registry.serde import JsonSerde
from tailrace.streams import Sessions, StreamsConfig, Topology, Tumbling
from tailrace.streams.instances.claims import Claim
from tailrace.streams.instances.meeting import Meeting
from tailrace.streams.metrics.metrics import Metrics
from tailrace.streams.plan import Plan
from tailrace.streams.serving.app import make_app
from tailrace.streams.serving.forwarding import ANSWERED_BY, FORWARDED_BY, PATIENCE_S, Forwarding
from tailrace.streams.serving.instance_routes import instance_routes
from tailrace.streams.serving.metrics_routes import metrics_routes
from tailrace.streams.serving.table_routes import table_routes
from tailrace.streams.serving.tables import served_tables
from tailrace.testing.topology_driver import TopologyDriver
from tests.tailrace.streams.test_queries import CLICKS, LAST, RECENT, VISITS, Keeping


class Instance:
    """An application of several tables, in one task of which nobody knows but itself."""

    def __init__(self, more=()):
        topology = Topology("app")
        numbers = topology.stream("numbers", int)
        grouped = numbers.group_by_key()
        grouped.count(store="counts").filter(bool)
        grouped.windowed_by(Tumbling(10, grace=1_000)).count(store="windows")
        grouped.windowed_by(Sessions(3, grace=1_000)).count(store="sessions")
        numbers.map(lambda key, number: (number, {1, 2}), key=int, value=JsonSerde(set)).to_table(store="by-number")
        topology.table("limits/of", object_serde())
        topology.global_table("rates", int)
        numbers.process(Keeping, stores=[LAST, RECENT, CLICKS, VISITS])
        self.driver = TopologyDriver(topology)
        self.meeting = Meeting("app", StreamsConfig("nowhere:1", None))
        plan = Plan(topology)
        topics = ["numbers", "limits/of", "app-by-number-repartition"]
        self.queries = self.driver.queries()
        tables = served_tables(topology, plan, dict.fromkeys(topics, 1))
        forwarding = Forwarding(self.meeting)
        routes = [*table_routes(tables, self.queries, forwarding), *instance_routes(self.meeting), *more]
        self.client = TestClient(make_app(routes, forwarding.close), raise_server_exceptions=False)

    def stop(self):
        """No task is here any more."""
        self.queries.attach(list)

    def get(self, path, **headers):
        return self.client.get(path, headers=headers)


def object_serde():
    """A serde of what JSON has no words for."""

    class ObjectSerde:
        def encode(self, value):
            return b""

        def decode(self, data):
            return object()

    return ObjectSerde()


@pytest.fixture
def instance():
    return Instance()


def failed(response, status):
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.json()["error_code"] == status
    return response.json()["message"]


def test_the_tables_are_told(instance):
    assert instance.get("/tables").json() == [
        {"name": name, "kind": kind, "key": key, "value": value, "partitions": 1, "global": name == "rates"}
        for name, kind, key, value in (
            ("by-number", "keys", "int", "set"),
            ("clicks", "windows", "str", "int"),
            ("counts", "keys", "str", "int"),
            ("last", "keys", "str", "int"),
            ("limits/of", "keys", "str", None),
            ("rates", "keys", "str", "int"),
            ("recent", "keys", "str", "int"),
            ("sessions", "sessions", "str", "int"),
            ("visits", "sessions", "str", "int"),
            ("windows", "windows", "str", "int"),
        )
    ]


def test_a_key_has_a_value(instance):
    for key in ("alice", "a/b?c", "ä", "windows"):
        instance.driver.pipe("numbers", key, 5)
    for path in ("alice", "a%2Fb%3Fc", "%C3%A4", "windows"):
        response = instance.get(f"/tables/counts/{path}")
        assert response.status_code == 200
        assert response.headers[ANSWERED_BY] == "1"
        assert response.json()["value"] == 1
    assert instance.get("/tables/counts/a%2Fb%3Fc").text == '{"key":"a/b?c","value":1}'
    assert instance.get("/tables/by-number/5").json() == {"key": 5, "value": [1, 2]}


def test_what_is_not_committed_is_not_seen(instance):
    instance.driver.pipe("numbers", "a", 1)
    instance.driver.pipe("numbers", "a", 1, commit=False)
    instance.driver.pipe("numbers", "b", 1, commit=False)
    assert instance.get("/tables/counts/a").json()["value"] == 1
    assert instance.get("/tables/counts/b").status_code == 404
    assert instance.get("/tables/counts").json()["entries"] == [{"key": "a", "value": 1}]
    instance.driver.commit()
    assert instance.get("/tables/counts/a").json()["value"] == 2


def test_what_there_is_not_is_told(instance):
    assert failed(instance.get("/tables/count/a"), 404) == (
        "there is no table 'count'; there are: "
        "by-number, clicks, counts, last, limits/of, rates, recent, sessions, visits, windows"
    )
    assert failed(instance.get("/tables/counts/a"), 404) == "counts has no value for the key 'a'"
    assert failed(instance.get("/tables/no"), 404)
    assert failed(instance.get("/more"), 404)
    assert failed(instance.client.post("/tables"), 405)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/tables/by-number/five", "'five' is no key: expected the JSON of int"),
        ("/tables/counts/a?limit=1", "there is no parameter 'limit' here; expected partition"),
        ("/tables/last/a?partition=1", "partition='1': expected a whole number from 0 to 0"),
        ("/tables/rates/a?partition=1", "partition='1': expected a whole number from 0 to 0"),
        ("/tables/clicks/a/windows?partition=x", "partition='x': expected a whole number from 0 to 0"),
        ("/tables?limit=1", "there is no parameter"),
        ("/tables/counts?limit=1001", "limit='1001': expected a whole number from 1 to 1000"),
        ("/tables/counts?partition=1", "partition='1': expected a whole number from 0 to 0"),
        ("/tables/counts?cursor=x", "cursor: 'x' is no cursor"),
        ("/tables/counts?cursor=1", "cursor='1' is of partition 1; expected 0 to 0"),
        ("/tables/counts?earliest=1", "there is no parameter 'earliest' here; expected first, last, limit"),
        ("/tables/by-number?first=x", "'x' is no key"),
        ("/tables/windows?first=a", "there is no parameter 'first' here; expected earliest, latest, limit"),
        ("/tables/windows/a", "a key of windows has windows; ask for /tables/windows/KEY/windows"),
        ("/tables/counts/a/windows", "counts has no windows; ask for /tables/counts/KEY"),
        ("/tables/windows/a/windows?latest=x", "latest='x': expected a whole number"),
    ],
)
def test_what_is_not_understood_is_told(instance, path, message):
    assert message in failed(instance.get(path), 400)


def test_a_table_is_given_page_by_page(instance):
    for key in "dbca":
        instance.driver.pipe("numbers", key, 1)

    def entries(query=""):
        keys, cursor = [], None
        while True:
            page = instance.get(f"/tables/counts?limit=2&{query}" + (f"&cursor={cursor}" if cursor else "")).json()
            keys.append("".join(entry["key"] for entry in page["entries"]))
            cursor = page["next"]
            if cursor is None:
                return keys

    assert entries() == ["ab", "cd"]
    assert entries("first=b") == ["bc", "d"]
    assert entries("first=b&last=c") == ["bc"]
    assert entries("last=a&partition=0") == ["a"]
    assert entries("first=x") == [""]


def test_windows_are_given_for_a_key_and_for_all(instance):
    for key, time in (("a", 105), ("b", 107), ("a", 111)):
        instance.driver.pipe("numbers", key, 1, timestamp=time)
    a, b, later = (
        {"key": key, "start": start, "end": start + 10, "value": 1}
        for key, start in (("a", 100), ("b", 100), ("a", 110))
    )
    assert instance.get("/tables/windows/a/windows").json() == {"entries": [a, later]}
    assert instance.get("/tables/windows/a/windows?earliest=101&latest=110").json() == {"entries": [later]}
    assert instance.get("/tables/windows/none/windows").json() == {"entries": []}
    assert instance.get("/tables/windows").json() == {"entries": [a, b, later], "next": None}
    assert instance.get("/tables/windows?earliest=101").json()["entries"] == [later]
    assert instance.get("/tables/windows?latest=109").json()["entries"] == [a, b]


def test_sessions_are_given_for_a_key_and_for_all(instance):
    for key, time in (("a", 105), ("b", 107), ("a", 107), ("a", 120)):
        instance.driver.pipe("numbers", key, 1, timestamp=time)
    first = {"key": "a", "start": 105, "end": 108, "value": 2}
    second = {"key": "a", "start": 120, "end": 121, "value": 1}
    assert instance.get("/tables/sessions/a/windows").json() == {"entries": [first, second]}
    assert instance.get("/tables/sessions/a/windows?latest=110").json() == {"entries": [first]}
    page = instance.get("/tables/sessions?limit=1").json()
    assert page["entries"] == [first, second]
    assert instance.get(f"/tables/sessions?cursor={page['next']}").json()["entries"][0]["key"] == "b"
    assert instance.get("/tables/sessions?first=b").json()["next"] is None


def test_what_a_processor_keeps_is_given_until_it_expires(instance):
    for key, value, time in (("a", 1, 1_003), ("b", 2, 1_004)):
        instance.driver.pipe("numbers", key, value, timestamp=time)
    for name in ("last", "recent"):
        assert instance.get(f"/tables/{name}/a").json() == {"key": "a", "value": 1}
        assert [each["key"] for each in instance.get(f"/tables/{name}").json()["entries"]] == ["a", "b"]
    click = {"key": "a", "start": 1_000, "end": 1_010, "value": 1}
    visit = {"key": "a", "start": 1_003, "end": 1_008, "value": 1}
    for name, window in (("clicks", click), ("visits", visit)):
        assert instance.get(f"/tables/{name}/a/windows").json() == {"entries": [window]}
        assert window in instance.get(f"/tables/{name}").json()["entries"]
        assert instance.get(f"/tables/{name}/a").status_code == 400
    instance.driver.pipe("numbers", "c", 3, timestamp=1_200)
    assert instance.get("/tables/last/a").status_code == 200
    assert instance.get("/tables/recent/a").status_code == 404
    assert instance.get("/tables/clicks/a/windows").json() == {"entries": []}
    assert [each["key"] for each in instance.get("/tables/visits").json()["entries"]] == ["c"]


def test_a_global_table_is_given_by_whoever_is_asked(instance):
    assert instance.get("/tables/rates/a").status_code == 404
    for key, value in (("b", 2), ("a", 1)):
        instance.driver.pipe("rates", key, value)
    assert instance.get("/tables/rates/a").json() == {"key": "a", "value": 1}
    page = instance.get("/tables/rates?limit=1").json()
    assert page["entries"] == [{"key": "a", "value": 1}]
    assert instance.get(f"/tables/rates?cursor={page['next']}").json()["entries"] == [{"key": "b", "value": 2}]
    assert instance.get("/tables/rates/a", **{FORWARDED_BY: "3"}).status_code == 200
    instance.stop()
    assert failed(instance.get("/tables/rates/a"), 503) == "it is not here yet, or not any more"


def test_what_json_cannot_say_is_told(instance):
    instance.driver.pipe("limits/of", "a", b"x")
    assert "keys or values of limits/of cannot be written as JSON" in failed(instance.get("/tables/limits%2Fof/a"), 500)


def test_what_is_not_here_is_worth_asking_again(instance):
    instance.stop()
    response = instance.get("/tables/counts/a")
    assert failed(response, 503) == "no instance has numbers-0; it may be moving, or all are still starting"
    assert response.headers["retry-after"] == "1"
    assert response.elapsed.total_seconds() >= PATIENCE_S
    instance.meeting.claims.note("1", Claim(active=(("numbers", 0),)), 0, now_s=0)
    assert "on its way from or to this instance" in failed(instance.get("/tables/counts"), 503)


def test_one_that_is_not_heard_of_or_answers_no_queries_is_not_asked(instance):
    instance.stop()
    instance.meeting.claims.note("2", Claim(active=(("numbers", 0),)), 0, now_s=-1_000_000)
    assert "instance 2, which has numbers-0, has not been heard of" in failed(instance.get("/tables/counts/a"), 503)
    instance.meeting.claims.note("2", Claim(active=(("numbers", 0),)), 1, now_s=1 << 60)
    assert "instance 2 answers no queries" in failed(instance.get("/tables/counts/a"), 503)
    instance.meeting.claims.note("2", Claim("127.0.0.1:1", (("numbers", 0),)), 2, now_s=1 << 60)
    assert "instance 2 at 127.0.0.1:1 does not answer" in failed(instance.get("/tables/counts/a"), 503)


def test_what_was_forwarded_is_not_forwarded_again(instance):
    instance.stop()
    instance.meeting.claims.note("2", Claim("127.0.0.1:1", (("numbers", 0),)), 0, now_s=1 << 60)
    for path in ("/tables/counts/a", "/tables/counts", "/tables/windows/a/windows"):
        response = instance.get(path, **{FORWARDED_BY: "3"})
        assert failed(response, 503) == "numbers-0 is not here"
        assert response.elapsed.total_seconds() < PATIENCE_S


def test_an_instance_is_ready_when_it_has_its_partitions(instance):
    assert "instance 1 has no partitions yet" in failed(instance.get("/health/ready"), 503)
    instance.meeting.is_ready = True
    assert instance.get("/health/ready").json() == {"status": "ready", "instance": "1"}


def test_the_instances_are_told(instance):
    claim = Claim("127.0.0.1:1", (("numbers", 0), ("numbers", 1)), ((("numbers", 2), 7),))
    instance.meeting.claims.note("2", claim, 0, now_s=1 << 60)
    instance.meeting.claims.note("1", Claim(), 1, now_s=-1_000_000)
    assert instance.get("/instances").json() == [
        {"name": "1", "address": None, "alive": False, "active": [], "standby": []},
        {
            "name": "2",
            "address": "127.0.0.1:1",
            "alive": True,
            "active": ["numbers-0", "numbers-1"],
            "standby": [{"task": "numbers-2", "behind": 7}],
        },
    ]


def test_there_may_be_further_routes():
    instance = Instance(more=[Route("/metrics", lambda _: PlainTextResponse("up 1"))])
    assert instance.get("/metrics").text == "up 1"


def test_metrics_are_told_beside_tables():
    metrics = Metrics()
    metrics.identity = "app", "1"
    answer = Instance(metrics_routes(metrics)).get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert 'tailrace_streams_info{application="app",instance="1"} 1.0' in answer.text.splitlines()
