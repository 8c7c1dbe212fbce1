"""Configurations of topics: what they do, how they are changed and described, and which are refused."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from tailrace.wire.record_batch import LOG_APPEND_TIME_BIT, parse_header

from .conftest import NOW_MS, Wire, batch, until
from .test_batches import gzipped

TOPIC, BROKER = 2, 4
SET, DELETE, APPEND, SUBTRACT = range(4)
SET_ON_TOPIC, DEFAULT = 1, 5
BOOLEAN, STRING, INT, LONG, DOUBLE, LIST = 1, 2, 3, 5, 6, 7


def alter(
    wire: Wire, topic: str, *changes: tuple[str, int, str | None], resource_type: int = TOPIC, **options: bool
) -> tuple[ErrorCode, str | None]:
    """Change configurations, each given as name, operation and value."""
    configs = [{"name": name, "config_operation": operation, "value": value} for name, operation, value in changes]
    resource = {"resource_type": resource_type, "resource_name": topic, "configs": configs}
    [answer] = wire.ask("incremental_alter_configs", 1, resources=[resource], **options).responses
    return answer.error_code, answer.error_message


def replace(wire: Wire, topic: str, version: int = 2, validate_only: bool = False, **configs: str | None) -> ErrorCode:
    """Replace all configurations."""
    entries = [{"name": name.replace("_", "."), "value": value} for name, value in configs.items()]
    resource = {"resource_type": TOPIC, "resource_name": topic, "configs": entries}
    [answer] = wire.ask("alter_configs", version, resources=[resource], validate_only=validate_only).responses
    error: ErrorCode = answer.error_code
    return error


def described(wire: Wire, topic: str, *names: str, version: int = 4, **options: bool) -> dict[str, Any]:
    resource = {"resource_type": TOPIC, "resource_name": topic, "configuration_keys": list(names) or None}
    [result] = wire.ask("describe_configs", version, resources=[resource], **options).results
    assert result.error_code is ErrorCode.none, result
    return {config.name: config for config in result.configs}


def value(wire: Wire, topic: str, name: str) -> str | None:
    found: str | None = described(wire, topic, name)[name].value
    return found


def configure(wire: Wire, topic: str, name: str, wanted: str) -> None:
    """Set a configuration, and wait until the broker knows it."""
    assert alter(wire, topic, (name, SET, wanted)) == (ErrorCode.none, None)
    until(lambda: value(wire, topic, name) == wanted)


# -- what they do --------------------------------------------------------------------------------------------------


def segments(wire: Wire, topic: str) -> int:
    """How many segments a partition has, by its files."""
    files: Iterable[Path] = wire.engine.data_dir.rglob("*.log")  # type: ignore[attr-defined]
    return sum(1 for path in files if topic in str(path))


def test_a_segment_ends_when_it_is_full(wire: Wire) -> None:
    topic = wire.topic(segment_bytes=str(1 << 20))
    for _ in range(4):
        wire.append(topic, b"x" * 400_000)
    assert segments(wire, topic) == 2


def test_a_segment_ends_when_the_next_record_is_much_newer(wire: Wire) -> None:
    topic = wire.topic(segment_ms="60000")
    for minutes in (0, 1, 3, 3, 5):
        wire.produce(topic, batch(b"v", timestamps=[NOW_MS + minutes * 60_000]))
    assert segments(wire, topic) == 3


def test_the_size_of_segments_can_be_changed_while_records_come(wire: Wire) -> None:
    topic = wire.topic()
    configure(wire, topic, "segment.bytes", str(1 << 20))

    def has_second() -> bool:
        wire.append(topic, b"x" * 600_000)
        return segments(wire, topic) > 1

    until(has_second)


def test_max_message_bytes_can_be_changed_while_records_come(wire: Wire) -> None:
    topic = wire.topic(max_message_bytes="1000")
    large = batch(b"x" * 2000)
    assert wire.produce(topic, large).error_code is ErrorCode.message_too_large
    configure(wire, topic, "max.message.bytes", "10000")
    until(lambda: wire.produce(topic, large).error_code is ErrorCode.none)


def test_the_kind_of_timestamp_can_be_changed_while_records_come(wire: Wire) -> None:
    topic = wire.topic()
    wire.append(topic, b"created")

    def appended_time() -> bool:
        wire.append(topic, b"v")
        return bool(parse_header(wire.batches(topic)[-1]).attributes & LOG_APPEND_TIME_BIT)

    configure(wire, topic, "message.timestamp.type", "LogAppendTime")
    until(appended_time)
    configure(wire, topic, "message.timestamp.type", "CreateTime")
    until(lambda: not appended_time())
    assert wire.records(topic)[0].timestamp == NOW_MS, "what was there before keeps its time"


def test_a_change_to_compaction_asks_for_keys(wire: Wire) -> None:
    topic = wire.topic()
    assert wire.produce(topic, batch(b"v", key=None)).error_code is ErrorCode.none
    configure(wire, topic, "cleanup.policy", "compact")
    until(lambda: wire.produce(topic, batch(b"v", key=None)).error_code is ErrorCode.invalid_record)
    assert wire.produce(topic, batch(b"v", key=b"k")).error_code is ErrorCode.none


@pytest.mark.parametrize("replicas", ["1", "2"])
def test_min_insync_replicas_is_accepted_and_bounded_by_the_replicas_there_are(wire: Wire, replicas: str) -> None:
    topic = wire.topic(min_insync_replicas=replicas)
    assert value(wire, topic, "min.insync.replicas") == replicas
    assert wire.produce(topic, batch(b"v"), acks=-1).error_code is ErrorCode.none


def test_compression_type_producer_passes_through_what_comes(wire: Wire) -> None:
    topic = wire.topic(compression_type="producer")
    data = gzipped(batch(b"v" * 500))
    assert wire.produce(topic, data).error_code is ErrorCode.none
    assert wire.batches(topic)[0][17:] == data[17:]


@pytest.mark.parametrize("codec", ["uncompressed", "gzip", "snappy", "lz4", "zstd"])
def test_every_compression_type_is_accepted_and_records_stay_what_they_are(wire: Wire, codec: str) -> None:
    topic = wire.topic(compression_type=codec)
    assert value(wire, topic, "compression.type") == codec
    assert wire.produce(topic, gzipped(batch(b"a", b"b"))).error_code is ErrorCode.none
    assert wire.values(topic) == [b"a", b"b"]


# -- changing ------------------------------------------------------------------------------------------------------


def test_set_and_delete(wire: Wire) -> None:
    topic = wire.topic()
    configure(wire, topic, "retention.ms", "1000")
    assert alter(wire, topic, ("retention.ms", DELETE, None)) == (ErrorCode.none, None)
    until(lambda: value(wire, topic, "retention.ms") == "604800000")


def test_other_configurations_stay_what_they_are(wire: Wire) -> None:
    topic = wire.topic(retention_ms="1000")
    configure(wire, topic, "segment.ms", "5000")
    assert value(wire, topic, "retention.ms") == "1000"


def test_append_and_subtract_change_lists(wire: Wire) -> None:
    topic = wire.topic()
    for operation, change, wanted in (
        (APPEND, "compact", {"delete", "compact"}),
        (APPEND, "compact", {"delete", "compact"}),
        (SUBTRACT, "delete", {"compact"}),
        (SUBTRACT, "delete", {"compact"}),
    ):
        assert alter(wire, topic, ("cleanup.policy", operation, change)) == (ErrorCode.none, None)
        until(lambda wanted=wanted: set((value(wire, topic, "cleanup.policy") or "").split(",")) == wanted)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (("no.such.config", SET, "1"), ErrorCode.invalid_config),
        (("retention.ms", SET, "soon"), ErrorCode.invalid_config),
        (("retention.ms", SET, "-2"), ErrorCode.invalid_config),
        (("retention.ms", SET, ""), ErrorCode.invalid_config),
        (("segment.bytes", SET, "1_000_000_000"), ErrorCode.invalid_config),
        (("segment.bytes", SET, "0"), ErrorCode.invalid_config),
        (("segment.ms", SET, "0"), ErrorCode.invalid_config),
        (("max.message.bytes", SET, "-1"), ErrorCode.invalid_config),
        (("cleanup.policy", SET, "shred"), ErrorCode.invalid_config),
        (("cleanup.policy", APPEND, "shred"), ErrorCode.invalid_config),
        (("compression.type", SET, "brotli"), ErrorCode.invalid_config),
        (("message.timestamp.type", SET, "createtime"), ErrorCode.invalid_config),
        (("min.cleanable.dirty.ratio", SET, "1.5"), ErrorCode.invalid_config),
        (("min.insync.replicas", SET, "0"), ErrorCode.invalid_config),
        (("preallocate", SET, "maybe"), ErrorCode.invalid_config),
        (("min.compaction.lag.ms", SET, str(2**63 - 1)), ErrorCode.none),
        (("retention.ms", APPEND, "1"), ErrorCode.invalid_config),
        (("retention.ms", SUBTRACT, "1"), ErrorCode.invalid_config),
        (("retention.ms", SET, None), ErrorCode.invalid_request),
        (("cleanup.policy", APPEND, None), ErrorCode.invalid_request),
        (("no.such.config", DELETE, None), ErrorCode.none),
        (("retention.ms", SET, " 1000 "), ErrorCode.none),
        (("cleanup.policy", SET, "compact, delete"), ErrorCode.none),
        (("preallocate", SET, "FALSE"), ErrorCode.none),
    ],
    ids=str,
)
@pytest.mark.parametrize("validate_only", [True, False], ids=["validate only", ""])
def test_changes_are_validated(
    wire: Wire, change: tuple[str, int, str | None], error: ErrorCode, validate_only: bool
) -> None:
    topic = wire.topic(retention_bytes="12345")
    found, message = alter(wire, topic, change, validate_only=validate_only)
    assert found is error
    assert bool(message) == (error is not ErrorCode.none)
    assert value(wire, topic, "retention.bytes") == "12345"


def test_a_compaction_lag_that_is_larger_than_its_maximum_is_refused(wire: Wire) -> None:
    topic = wire.topic()
    error, _ = alter(wire, topic, ("min.compaction.lag.ms", SET, "10"), ("max.compaction.lag.ms", SET, "5"))
    assert error is ErrorCode.invalid_config


def test_of_several_changes_all_or_none_are_made(wire: Wire) -> None:
    topic = wire.topic()
    error, _ = alter(wire, topic, ("retention.ms", SET, "1000"), ("segment.ms", SET, "never"))
    assert error is ErrorCode.invalid_config
    assert value(wire, topic, "retention.ms") == "604800000"


def test_a_configuration_that_is_named_twice_is_an_invalid_request(wire: Wire) -> None:
    topic = wire.topic()
    error, message = alter(wire, topic, ("retention.ms", SET, "1"), ("retention.ms", DELETE, None))
    assert error is ErrorCode.invalid_request
    assert message


def test_validation_changes_nothing(wire: Wire) -> None:
    topic = wire.topic(retention_ms="1000")
    assert alter(wire, topic, ("retention.ms", SET, "5"), validate_only=True) == (ErrorCode.none, None)
    assert replace(wire, topic, validate_only=True) is ErrorCode.none
    assert value(wire, topic, "retention.ms") == "1000"


def test_an_unknown_topic_cannot_be_configured(wire: Wire) -> None:
    missing = wire.unique("missing")
    assert alter(wire, missing, ("retention.ms", SET, "1"))[0] is ErrorCode.unknown_topic_or_partition
    assert replace(wire, missing, retention_ms="1") is ErrorCode.unknown_topic_or_partition


@pytest.mark.parametrize(
    ("name", "error"), [("no name!", ErrorCode.invalid_topic_exception), ("", ErrorCode.invalid_request)]
)
def test_an_illegal_name_cannot_be_configured(wire: Wire, name: str, error: ErrorCode) -> None:
    assert alter(wire, name, ("retention.ms", SET, "1"))[0] is error
    assert replace(wire, name, retention_ms="1") is error


@pytest.mark.parametrize("resource_type", [0, 99])
def test_an_unknown_kind_of_resource_is_an_invalid_request(wire: Wire, resource_type: int) -> None:
    error, _ = alter(wire, "name", ("retention.ms", SET, "1"), resource_type=resource_type)
    assert error is ErrorCode.invalid_request


@pytest.mark.parametrize("version", range(3))
def test_alter_configs_replaces_everything(wire: Wire, version: int) -> None:
    topic = wire.topic(retention_ms="1000")
    assert replace(wire, topic, version, segment_ms="5000") is ErrorCode.none
    until(lambda: value(wire, topic, "segment.ms") == "5000")
    assert value(wire, topic, "retention.ms") == "604800000"


def test_alter_configs_refuses_what_is_wrong(wire: Wire) -> None:
    topic = wire.topic(retention_ms="1000")
    assert replace(wire, topic, no_such_config="1") is ErrorCode.invalid_config
    assert replace(wire, topic, retention_ms="soon") is ErrorCode.invalid_config
    assert replace(wire, topic, retention_ms=None) is ErrorCode.invalid_request
    assert value(wire, topic, "retention.ms") == "1000"


def test_what_the_broker_got_at_its_start_cannot_be_changed(wire: Wire) -> None:
    node = str(wire.ask("metadata", 9, topics=[]).controller_id)
    error, _ = alter(wire, node, ("num.partitions", SET, "5"), resource_type=BROKER)
    assert error is ErrorCode.invalid_request
    error, _ = alter(wire, "12345", ("num.partitions", SET, "5"), resource_type=BROKER)
    assert error is ErrorCode.invalid_request


# -- describing ----------------------------------------------------------------------------------------------------

DEFAULTS = {
    "cleanup.policy": ("delete", LIST),
    "compression.gzip.level": ("-1", INT),
    "compression.lz4.level": ("9", INT),
    "compression.type": ("producer", STRING),
    "compression.zstd.level": ("3", INT),
    "delete.retention.ms": ("86400000", LONG),
    "file.delete.delay.ms": ("60000", LONG),
    "flush.messages": ("9223372036854775807", LONG),
    "flush.ms": ("9223372036854775807", LONG),
    "follower.replication.throttled.replicas": ("", LIST),
    "index.interval.bytes": ("4096", INT),
    "leader.replication.throttled.replicas": ("", LIST),
    "local.retention.bytes": ("-2", LONG),
    "local.retention.ms": ("-2", LONG),
    "max.compaction.lag.ms": ("9223372036854775807", LONG),
    "max.message.bytes": ("1048588", INT),
    "message.timestamp.after.max.ms": ("3600000", LONG),
    "message.timestamp.before.max.ms": ("9223372036854775807", LONG),
    "message.timestamp.type": ("CreateTime", STRING),
    "min.cleanable.dirty.ratio": ("0.5", DOUBLE),
    "min.compaction.lag.ms": ("0", LONG),
    "min.insync.replicas": ("1", INT),
    "preallocate": ("false", BOOLEAN),
    "remote.log.copy.disable": ("false", BOOLEAN),
    "remote.log.delete.on.disable": ("false", BOOLEAN),
    "remote.storage.enable": ("false", BOOLEAN),
    "retention.bytes": ("-1", LONG),
    "retention.ms": ("604800000", LONG),
    "segment.bytes": ("1073741824", INT),
    "segment.index.bytes": ("10485760", INT),
    "segment.jitter.ms": ("0", LONG),
    "segment.ms": ("604800000", LONG),
    "unclean.leader.election.enable": ("false", BOOLEAN),
}


def test_all_configurations_are_described_with_default_and_type(wire: Wire) -> None:
    found = described(wire, wire.topic())
    assert {name: (config.value, config.config_type) for name, config in found.items()} == DEFAULTS
    assert not any(config.read_only or config.is_sensitive for config in found.values())
    # Apache Kafka sets min.insync.replicas for the whole cluster by itself (KIP-966).
    assert {c.config_source for name, c in found.items() if name != "min.insync.replicas"} == {DEFAULT}


@pytest.mark.parametrize("version", range(1, 5))
def test_what_is_set_is_described_as_set(wire: Wire, version: int) -> None:
    topic = wire.topic(retention_ms="1000")
    found = described(wire, topic, "retention.ms", "segment.ms", version=version)
    assert {name: (config.value, config.config_source) for name, config in found.items()} == {
        "retention.ms": ("1000", SET_ON_TOPIC),
        "segment.ms": ("604800000", DEFAULT),
    }


def test_synonyms_are_given_when_they_are_asked_for(wire: Wire) -> None:
    topic = wire.topic(max_message_bytes="1000")
    asked = described(wire, topic, "max.message.bytes", include_synonyms=True)["max.message.bytes"]
    assert [(synonym.name, synonym.value, synonym.source) for synonym in asked.synonyms] == [
        ("max.message.bytes", "1000", SET_ON_TOPIC),
        ("message.max.bytes", "1048588", DEFAULT),
    ]
    assert described(wire, topic, "max.message.bytes")["max.message.bytes"].synonyms == ()


def test_documentation_is_given_when_it_is_asked_for(wire: Wire) -> None:
    topic = wire.topic()
    for version in (3, 4):
        found = described(wire, topic, version=version, include_documentation=True)
        assert all(config.documentation for config in found.values())
        assert all(not config.documentation for config in described(wire, topic, version=version).values())


def test_only_what_is_asked_for_is_described(wire: Wire) -> None:
    topic = wire.topic()
    assert set(described(wire, topic, "retention.ms", "no.such.config")) == {"retention.ms"}
    nothing = {"resource_type": TOPIC, "resource_name": topic, "configuration_keys": []}
    [result] = wire.ask("describe_configs", 4, resources=[nothing]).results
    assert len(result.configs) == len(DEFAULTS), "no names stand for all"


@pytest.mark.parametrize(
    ("resource_type", "name", "error"),
    [
        (TOPIC, "missing", ErrorCode.unknown_topic_or_partition),
        (TOPIC, "no name!", ErrorCode.invalid_topic_exception),
        (BROKER, "12345", ErrorCode.invalid_request),
        (BROKER, "x", ErrorCode.invalid_request),
    ],
)
def test_what_does_not_exist_cannot_be_described(wire: Wire, resource_type: int, name: str, error: ErrorCode) -> None:
    resource = {"resource_type": resource_type, "resource_name": name, "configuration_keys": None}
    [result] = wire.ask("describe_configs", 4, resources=[resource]).results
    assert (result.error_code, result.configs) == (error, ())


def test_the_broker_is_described_by_its_id(wire: Wire) -> None:
    node = str(wire.ask("metadata", 9, topics=[]).controller_id)
    resource = {"resource_type": BROKER, "resource_name": node, "configuration_keys": None}
    [result] = wire.ask("describe_configs", 4, resources=[resource], include_synonyms=True).results
    found = {config.name: config for config in result.configs}
    assert (found["node.id"].value, found["node.id"].config_type, found["node.id"].read_only) == (node, INT, True)
    assert (found["log.dirs"].config_type, found["num.partitions"].config_type) == (LIST, INT)
    assert found["node.id"].synonyms[0].value == node


def test_without_a_name_what_was_set_for_all_brokers_is_described(wire: Wire) -> None:
    resource = {"resource_type": BROKER, "resource_name": "", "configuration_keys": None}
    [result] = wire.ask("describe_configs", 4, resources=[resource]).results
    assert result.error_code is ErrorCode.none
    assert {config.name for config in result.configs} <= {"min.insync.replicas"}
