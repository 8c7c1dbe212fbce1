"""Which configurations of a group are valid, and which value holds."""

import pytest

from tailrace.broker.config import BrokerConfig
from tailrace.broker.groups import configs

CONFIG = BrokerConfig(group_consumer_min_session_timeout_ms=1000)
SESSION, HEARTBEAT = configs.SESSION_TIMEOUT_MS, configs.HEARTBEAT_INTERVAL_MS


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, None),
        ({SESSION: "60000"}, None),
        ({SESSION: "1000", HEARTBEAT: "999"}, None),
        ({SESSION: "60001"}, f"{SESSION} must be less than or equal to group.consumer.max.session.timeout.ms"),
        ({SESSION: "999"}, f"{SESSION} must be greater than or equal to group.consumer.min.session.timeout.ms"),
        ({SESSION: "-5"}, f"{SESSION} must be greater than or equal to group.consumer.min.session.timeout.ms"),
        ({HEARTBEAT: "1"}, f"{HEARTBEAT} must be greater than or equal to group.consumer.min.heartbeat.interval.ms"),
        ({SESSION: "5000"}, f"{SESSION} must be greater than {HEARTBEAT}"),
        ({SESSION: "soon"}, f"Invalid value soon for configuration {SESSION}: Not a number of type INT"),
        ({SESSION: None}, f"Invalid value None for configuration {SESSION}: Not a number of type INT"),
        ({"retention.ms": "1"}, "Unknown group config name: retention.ms"),
    ],
)
def test_what_is_wrong(given: dict[str, str | None], problem: str | None) -> None:
    assert configs.problem(given, CONFIG) == problem


def test_a_value_stays_within_what_the_broker_allows() -> None:
    assert configs.value(SESSION, {}, CONFIG) == 45_000
    assert configs.value(SESSION, {SESSION: "2000"}, CONFIG) == 2000
    assert configs.value(SESSION, {SESSION: "500"}, CONFIG) == 1000
