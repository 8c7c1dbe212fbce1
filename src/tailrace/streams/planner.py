"""The planner: a topology's plan on a cluster, which is another one when topics come or go that its patterns mean."""

import time
from collections.abc import Iterable

import structlog
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tailrace.client import admin, ensure_topics, wait_for_broker, wait_for_topics
from tailrace.streams.config import StreamsConfig
from tailrace.streams.plan import Plan
from tailrace.streams.topology import Topology

log = structlog.get_logger("tailrace.streams")

WAIT_S = 0.05
# Nothing is processed while the cluster is asked, and whoever gets no answer asks again at the next time.
ASK_TIMEOUT_S = 1.0


class Planner:
    """Has the present `plan`, and the partition counts of all its topics, which exist.

    Raises TopologyError for partition counts that do not fit, LookupError for missing topics, BrokerUnreachable.
    """

    def __init__(self, topology: Topology, config: StreamsConfig) -> None:
        self._topology = topology
        self._config = config
        self._admin: AdminClient | None = None
        self.renew()

    def renew(self) -> None:
        """Make a plan for the topics that there are now, and those of the application's own that are missing."""
        servers = self._config.bootstrap_servers
        self.plan = plan = self._matching_plan() if self._topology.patterns else self._plan_for(())
        self._asked_at = time.monotonic()
        existing = wait_for_topics(servers, plan.topics, self._config.topics_timeout_s)
        made = self._made() if plan.matches else {}
        self.partitions = plan.partitions(existing, made)
        ensure_topics(servers, plan.internal_topics(existing, made))

    def is_outdated(self) -> bool:
        """Whether patterns mean other topics by now; the cluster is asked now and then."""
        if not self.plan.matches or time.monotonic() - self._asked_at < self._config.pattern_refresh_interval_s:
            return False
        self._asked_at = time.monotonic()
        try:
            matches = self.plan.matches_in(self._counts(ASK_TIMEOUT_S))
        except KafkaException as exception:
            log.info("topics are not known", application=self.plan.application, reason=exception.args[0].str())
            return False
        return matches != self.plan.matches and all(matches.values())

    def _matching_plan(self) -> Plan:
        """Wait until there is a topic for each pattern."""
        wait_for_broker(self._config.bootstrap_servers, self._config.topics_timeout_s)
        deadline = time.monotonic() + self._config.topics_timeout_s
        while True:
            plan = self._plan_for(self._counts(self._config.topics_timeout_s))
            missing = [pattern.pattern for pattern, topics in plan.matches.items() if not topics]
            if not missing:
                return plan
            if time.monotonic() >= deadline:
                raise LookupError(
                    f"the cluster at {self._config.bootstrap_servers} has no topic like {', '.join(missing)}"
                )
            time.sleep(WAIT_S)

    def _plan_for(self, topics: Iterable[str]) -> Plan:
        plan = Plan(self._topology, topics, counts_steps=self._config.metrics_recording_level == "debug")
        plan.check_stores(self._config.in_memory)
        return plan

    def _made(self) -> dict[str, int]:
        counts = self._counts(self._config.topics_timeout_s)
        return {topic: counts[topic] for topic in self._topology.repartitions if topic in counts}

    def _counts(self, timeout_s: float) -> dict[str, int]:
        """The topics that there are, with their partition counts."""
        if self._admin is None:
            self._admin = admin(self._config.bootstrap_servers)
        known = self._admin.list_topics(timeout=timeout_s).topics
        return {name: len(topic.partitions) for name, topic in known.items() if topic.partitions}
