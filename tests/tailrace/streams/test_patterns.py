"""Topics that patterns name: which they are, that nothing depends on that, and those that are made while it runs."""

import re
from collections import Counter

import pytest
from confluent_kafka.admin import AdminClient
from msgspec import Struct

from tailrace.client import Topic, ensure_topics, read_to_end
from tailrace.streams import StreamsConfig, Topology, TopologyError, run
from tailrace.streams.plan import Plan
from tailrace.streams.types import PLAIN
from tailrace.testing.registry import LocalRegistry
from tailrace.testing.topology_driver import TopologyDriver
from tests.tailrace.streams.application import FOR_EVER, Application

PAYMENTS = re.compile(r"payments-.*")
SCHEMA = '{"type": "record", "name": "Payment", "fields": [{"name": "amount", "type": "long"}]}'


class Payment(Struct, frozen=True):
    amount: int


def counting(pattern=PAYMENTS):
    topology = Topology("app")
    topology.stream(pattern, str).group_by_key().count(store="n").to("counts")
    return topology


def test_all_topics_that_match_are_read_also_new_ones():
    driver = TopologyDriver(counting())
    for topic in ("payments-eu", "payments-us", "payments-eu", "payments-"):
        driver.pipe(topic, "a", "x")
        driver.restart(lose_state=True)
    assert driver.read("counts") == [("a", 1), ("a", 2), ("a", 3), ("a", 4)]
    with pytest.raises(KeyError, match="reads no topic all-payments-eu"):
        driver.pipe("all-payments-eu", "a", "x")


def test_a_new_topic_finds_everything_committed_and_repeats_nothing():
    driver = TopologyDriver(counting())
    driver.pipe("payments-eu", "a", "x", commit=False)
    driver.pipe("payments-us", "a", "x", commit=False)
    driver.rollback()
    assert driver.read("counts") == [("a", 1)]


def test_what_is_written_to_a_topic_that_matches_is_read():
    topology = Topology("app")
    topology.stream(re.compile("in-.*"), str).filter(lambda v: len(v) < 3).map_values(lambda v: v + "x", value=str).to(
        lambda v: f"in-{len(v)}"
    )
    driver = TopologyDriver(topology)
    driver.pipe("in-a", "a", "")
    assert [topic for topic in driver.log if driver.read_raw(topic)] == ["in-a", "in-1", "in-2", "in-3"]


def test_the_topics_are_those_whose_whole_name_matches_and_neither_internal_nor_the_applications_own():
    topology = Topology("app")
    stream = topology.stream(re.compile(".*payments.*|__.*|app-.*"), str)
    stream.select_key(str.lower).group_by_key().count(store="n").to("counts")
    topics = ["payments", "x-payments-y", "__consumer_offsets", "__payments", "app-x", "app-n-repartition", "counts"]
    plan = Plan(topology, [*topics, "app-n-changelog"])
    assert plan.subtopologies[0].inputs == ("app-x", "payments", "x-payments-y")
    assert plan.of_topic["app-n-repartition"] is plan.subtopologies[1]


def test_nothing_that_is_kept_depends_on_the_topics():
    topology = counting(re.compile("payments/.*|[ab]"))
    plans = [Plan(topology, topics) for topics in ([], ["a"], ["a", "b"], ["b"])]
    assert {plan.subtopologies[0].name for plan in plans} == {"payments%2F.%2A%7C%5Bab%5D"}
    for plan in plans[1:]:
        counts = dict.fromkeys([*plan.of_topic, "counts"], 2)
        assert [(topic.name, topic.partitions) for topic in plan.internal_topics(counts)] == [("app-n-changelog", 2)]
    assert topology.topics() == {"counts"}


def test_a_repartition_topic_stays_as_it_is_when_a_larger_topic_comes():
    topology = Topology("app")
    topology.stream(PAYMENTS, str).select_key(str.lower).group_by_key().count(store="n").to("counts")
    plan = Plan(topology, ["payments-1", "payments-2"])
    existing = {"payments-1": 2, "payments-2": 5, "counts": 1}
    made = {"app-n-repartition": 2}
    assert plan.tasks(plan.partitions(existing, made)) == [(plan.subtopologies[0], 5), (plan.subtopologies[1], 2)]
    topics = {topic.name: topic.partitions for topic in plan.internal_topics(existing, made)}
    assert topics == {"app-n-repartition": 2, "app-n-changelog": 2}


def test_topics_of_a_pattern_that_meet_have_as_many_partitions():
    with pytest.raises(TopologyError, match="payments-1 has 2 partitions and payments-2 has 5"):
        Plan(counting(), ["payments-1", "payments-2"]).partitions({"payments-1": 2, "payments-2": 5, "counts": 1})


@pytest.mark.parametrize("other", ["stream", "table", "global_table"])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_topic_is_not_read_by_its_name_and_by_a_pattern(other, is_first):
    topology = Topology("app")
    steps = [lambda: topology.stream(PAYMENTS, str), lambda: getattr(topology, other)("payments-eu", str)]
    first, second = steps if is_first else reversed(steps)
    first()
    with pytest.raises(
        TopologyError, match=r"app reads topic payments-eu twice: by its name, and as one like payments-"
    ):
        second()


def test_two_patterns_do_not_mean_the_same_topic():
    topology = counting()
    with pytest.raises(TopologyError, match=r"app reads topics like payments-\.\* twice"):
        topology.stream(re.compile("payments-.*"), str)
    topology.stream(re.compile(".*-eu"), str).to("eu")
    assert Plan(topology, ["payments-us", "x-eu"]).matches[PAYMENTS] == ("payments-us",)
    with pytest.raises(
        TopologyError, match=r"topic payments-eu twice: as one like payments-\.\* and as one like \.\*-eu"
    ):
        Plan(topology, ["payments-eu"])


def test_a_pattern_is_one_of_text():
    with pytest.raises(TopologyError, match="is a pattern of bytes; expected one of text"):
        Topology("app").stream(re.compile(b"payments-.*"), str)


def test_of_a_class_it_takes_the_contract_of_the_first_topic_that_has_one():
    registry = LocalRegistry()
    with pytest.raises(TopologyError, match=r"the registry has no contract of values of a topic like payments-\.\*"):
        Topology("app", registry=registry).stream(PAYMENTS, Payment)
    for topic in ("payments", "payments-eu", "payments-us"):
        registry.register(f"{topic}-value", SCHEMA)
    topology = Topology("app", registry=registry)
    topology.stream(PAYMENTS, Payment).map_values(lambda payment: payment.amount, value=int).to("amounts")
    driver = TopologyDriver(topology)
    driver.pipe("payments-us", "a", Payment(5))
    assert driver.read("amounts") == [("a", 5)]


def test_it_can_be_drawn():
    topology = counting()
    assert topology.describe().splitlines()[2] == r"    stream of topics like payments-.*"
    assert 'v0(["payments-.*"])' in topology.mermaid()
    assert topology.fingerprint() == counting().fingerprint() != counting(re.compile("orders-.*")).fingerprint()


def test_it_waits_for_a_topic_that_matches(engine, unique, tmp_path):
    config = StreamsConfig(engine.bootstrap_servers, tmp_path, topics_timeout_s=0.2)
    topology = Topology(unique("waiting"))
    pattern = unique("nothing") + "-.*"
    topology.stream(re.compile(pattern), str).foreach(print)
    with pytest.raises(LookupError, match=f"has no topic like {re.escape(pattern)}"):
        run(topology, config, None)


class Regions(Application):
    """Payments in topics of regions, of which more are made later; how many there are of each account."""

    def __init__(self, bootstrap_servers, name, folder):
        super().__init__(bootstrap_servers, name, folder, self.counting)
        self.sent = Counter()

    def counting(self, name, prefix):
        topology = Topology(name)
        payments = topology.stream(re.compile(f"{prefix}in-.*"), bytes)
        payments.group_by_key().count(store="n").to(f"{prefix}counts")
        payments.map_values(lambda v: v, value=bytes).to(f"{prefix}all")
        return topology

    def make(self, region):
        ensure_topics(self.bootstrap_servers, [Topic(f"{self.prefix}in-{region}", 3, FOR_EVER)])

    def pay(self, region, count):
        for number in range(count):
            key = f"k{number % 10}"
            self.producer.produce(f"{self.prefix}in-{region}", b"", key=key)
            self.sent[key] += 1
        assert self.producer.flush(60) == 0

    def wait_for_all(self):
        self.wait_for_records(f"{self.prefix}all", self.sent.total())
        self.wait_for_records(f"{self.prefix}counts", self.sent.total())

    def check(self):
        """Each account was counted by one, without a gap and nothing twice."""
        counts = {}
        for record in read_to_end(self.bootstrap_servers, [f"{self.prefix}counts"]):
            counts.setdefault(record.key().decode(), []).append(PLAIN[int].decode(record.value()))
        assert counts == {key: list(range(1, count + 1)) for key, count in self.sent.items()}


@pytest.mark.parametrize("group_protocol", ["classic", "consumer"])
def test_topics_that_are_made_while_instances_run_are_read_from_their_beginning(
    engine, unique, tmp_path, group_protocol
):
    application = Regions(engine.bootstrap_servers, unique("regions"), tmp_path)
    application.make("eu")
    config = {"pattern_refresh_interval_s": 0.5, "group_protocol": group_protocol}
    with application.start("1", **config):
        application.pay("eu", 100)
        application.wait_for_all()
        with application.start("2", **config):
            application.make("us")
            for region in ("us", "eu"):
                application.pay(region, 100)
            application.wait_for_all()
            application.pay("us", 100)
            application.wait_for_all()
    application.check()


def test_a_topic_that_is_made_while_nobody_runs_is_read_by_an_instance_that_comes_back_at_once(
    engine, unique, tmp_path
):
    """Although the group's coordinator gives it the partitions that it had, without asking anybody."""
    application = Regions(engine.bootstrap_servers, unique("regions"), tmp_path)
    for region in ("eu", "us", "asia"):
        application.make(region)
        application.pay(region, 50)
        with application.start("1"):
            application.wait_for_all()
    application.check()


@pytest.mark.parametrize("group_protocol", ["classic", "consumer"])
def test_a_topic_that_is_deleted_is_read_no_more(engine, unique, tmp_path, group_protocol):
    application = Regions(engine.bootstrap_servers, unique("regions"), tmp_path)
    application.make("eu")
    application.make("us")
    admin = AdminClient({"bootstrap.servers": engine.bootstrap_servers})
    with application.start("1", pattern_refresh_interval_s=0.5, group_protocol=group_protocol) as running:
        application.pay("us", 50)
        application.wait_for_all()
        running.running.clear()
        for future in admin.delete_topics([f"{application.prefix}in-us"]).values():
            future.result(60)
        assert running.running.wait(60)
        application.pay("eu", 50)
        application.wait_for_all()
    application.check()
