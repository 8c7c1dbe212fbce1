"""Whole configurations of connectors: what can be run, and the one line about what cannot."""

import pytest

from tailrace.connect.errors import ConfigError
from tailrace.connect.framework import overrides, read_config

SINK = {"name": "s", "connector.class": "SqlSink", "topics": "t", "connection.url": "sqlite://"}
SOURCE = {
    "name": "s",
    "connector.class": "SqlSource",
    "connection.url": "sqlite://",
    "table.whitelist": "accounts",
    "mode": "incrementing",
    "incrementing.column.name": "id",
}


@pytest.mark.parametrize(
    ("base", "named"),
    [
        (SINK, "SqlSink"),
        (SINK, "io.confluent.connect.jdbc.JdbcSinkConnector"),
        (SINK, "io.aiven.connect.jdbc.JdbcSinkConnector"),
        (SINK, "JdbcSinkConnector"),
        (SOURCE, "io.confluent.connect.jdbc.JdbcSourceConnector"),
    ],
)
def test_a_connector_is_found_by_its_own_and_its_java_names(base: dict[str, str], named: str) -> None:
    config = read_config(base | {"connector.class": named})
    assert type(config.connector).__name__ == ("SqlSink" if base is SINK else "SqlSource")


def test_kafka_settings_are_passed_to_the_clients() -> None:
    config = read_config(SOURCE | {"producer.override.linger.ms": "7"})
    assert overrides(config, "producer") == {"linger.ms": "7"}
    assert overrides(config, "consumer") == {}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            SINK | {"connector.class": "Sql"},
            "connector.class='Sql' is not a known source or sink; known are SqlSink, SqlS",
        ),
        ({"name": "s"}, "connector.class is missing"),
        ({k: v for k, v in SINK.items() if k != "topics"}, "give one of topics and topics.regex"),
        (SINK | {"topics.regex": "x"}, "give one of topics and topics.regex"),
        (SINK | {"errors.deadletterqueue.topic.name": "d"}, "errors.deadletterqueue.topic.name is set, but errors.tol"),
        (SINK | {"insert.mode": "upsert"}, "insert.mode='upsert' needs a key"),
        (SINK | {"delete.enabled": "true"}, "delete.enabled=true needs pk.mode=record_key"),
        (SINK | {"pk.mode": "kafka", "pk.fields": "a,b"}, "pk.fields=['a', 'b']: pk.mode=kafka needs three"),
        (SINK | {"connection.url": "mysql://x"}, "connection.url='mysql://x' is not allowed, expected sqlite:///FILE"),
        (SINK | {"connection.url": "nonsense"}, "connection.url='nonsense' is not allowed, expected sqlite:///FILE"),
        (SINK | {"poll.interval.ms": "1"}, "poll.interval.ms='1' is not a key of this connector"),
        (SINK | {"value.converter": "Protobuf"}, "value.converter='Protobuf' is not a known converter; known are Avro"),
        (SINK | {"value.converter.x": "1"}, "value.converter: x='1' is not a key"),
        (SINK | {"transforms": "a"}, "transforms.a.type='' is not a known transformation; known are ValueToKey"),
        (SINK | {"transforms.a.type": "ValueToKey"}, "transforms.a.type='ValueToKey' belongs to no transform"),
        (
            SINK | {"transforms": "a", "transforms.a.type": "ExtractField", "transforms.a.field": "x"},
            "transforms.a.type='ExtractField' is not allowed, expected ExtractField$Key or ExtractField$Value",
        ),
        (
            SINK | {"transforms": "a", "transforms.a.type": "ValueToKey$Key", "transforms.a.fields": "x"},
            "transforms.a.type='ValueToKey$Key' is not allowed, expected ValueToKey",
        ),
        (SINK | {"transforms": "a", "transforms.a.type": "ValueToKey"}, "transforms.a: fields is missing"),
        (SOURCE | {"mode": "timestamp"}, "timestamp.column.name is missing: mode=timestamp needs it"),
        (SOURCE | {"mode": "bulk"}, "incrementing.column.name='id' is not used in mode=bulk"),
        (SOURCE | {"table.include.list": "x"}, "table.include.list='x' repeats table.whitelist"),
    ],
)
def test_a_configuration_that_cannot_run_is_refused_in_one_line(config: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_config(config)
    assert str(error.value).startswith(f"connector s: {message}")
    assert "\n" not in str(error.value)


def test_a_source_deals_its_tables_out() -> None:
    connector = read_config(SOURCE | {"table.whitelist": "a,b,c"}).connector
    shares = [share["table.whitelist"] for share in connector.task_settings(2)]
    assert shares == [["a", "c"], ["b"]]
    assert len(connector.task_settings(8)) == 3
