"""Settings by Kafka's names: from a file, from overrides, from the command line, and what is refused."""

from dataclasses import fields
from pathlib import Path

import pytest

from tailrace.broker.config import BrokerConfig, Flush
from tailrace.broker.server_properties import InvalidSetting, read_config
from tailrace.logs import LogFormat


def written(folder: Path, text: str) -> Path:
    file = folder / "server.properties"
    file.write_text(text)
    return file


def test_without_anything_the_defaults_hold() -> None:
    assert read_config(None) == BrokerConfig()


def test_a_file_is_read_as_kafka_reads_it(tmp_path: Path) -> None:
    text = """\
# the broker of the office
data = /srv/kafka
num.partitions: 3
auto.create.topics.enable=true
flush=kafka
log.format json
group.initial.rebalance.\\
    delay.ms=250
"""
    assert read_config(written(tmp_path, text)) == BrokerConfig(
        data=Path("/srv/kafka"),
        num_partitions=3,
        auto_create_topics_enable=True,
        flush=Flush.KAFKA,
        log_format=LogFormat.JSON,
        group_initial_rebalance_delay_ms=250,
    )


def test_an_override_wins_over_the_file_and_what_is_given_over_both(tmp_path: Path) -> None:
    file = written(tmp_path, "num.partitions=2\nport=1\nhost=a\n")
    config = read_config(file, ["num.partitions=3", "port=2"], {"port": 3})
    assert (config.num_partitions, config.port, config.host) == (3, 3, "a")


def test_a_value_may_contain_an_equals_sign() -> None:
    assert read_config(None, ["data=/srv/a=b"]).data == Path("/srv/a=b")


@pytest.mark.parametrize("field", sorted({field.name for field in fields(BrokerConfig)} - {"topic_defaults"}))
def test_every_setting_has_its_name_with_dots(field: str) -> None:
    name = field.replace("_", ".")
    with pytest.raises(InvalidSetting, match=f"did you mean {name}"):
        read_config(None, [f"{name}x=1"])


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("num.partition=1", "there is no setting num.partition; did you mean num.partitions?"),
        ("log.dirs=/srv", "log.dirs is data in this broker"),
        ("zookeeper.connect=x", "there is no setting zookeeper.connect; known are acls, address.file, "),
        ("port=many", "port=many is not valid: Expected `int`"),
        ("flush=never", "flush=never is not valid: Invalid enum value 'never'"),
        ("auto.create.topics.enable=maybe", "auto.create.topics.enable=maybe is not valid"),
        ("log.cleanup.policy=keep", "--override: log.cleanup.policy=keep is not valid for cleanup.policy of topics"),
        ("log.retention.hours=long", "--override: log.retention.hours=long is not valid: Expected `int`"),
        ("log.retention.hour=1", "there is no setting log.retention.hour; did you mean log.retention.hours?"),
        ("topic.defaults=x", "there is no setting topic.defaults"),
        ("port", "--override port: expected name=value"),
    ],
)
def test_what_cannot_be_is_refused_with_a_hint(setting: str, said: str) -> None:
    with pytest.raises(InvalidSetting) as refusal:
        read_config(None, [setting])
    assert said in str(refusal.value)


def test_defaults_of_topics_are_set_by_kafkas_names(tmp_path: Path) -> None:
    text = "message.max.bytes=2000\nlog.cleanup.policy=compact\nlog.retention.ms=5\nlog.segment.bytes=1048576\n"
    assert read_config(written(tmp_path, text)).topic_defaults == {
        "max.message.bytes": "2000",
        "cleanup.policy": "compact",
        "retention.ms": "5",
        "segment.bytes": "1048576",
    }


@pytest.mark.parametrize(
    ("settings", "retention_ms"),
    [
        (["log.retention.hours=2"], 7_200_000),
        (["log.retention.hours=-1"], -1),
        (["log.retention.minutes=3", "log.retention.hours=2"], 180_000),
        (["log.retention.ms=4", "log.retention.minutes=3", "log.retention.hours=2"], 4),
    ],
)
def test_the_smaller_unit_of_a_time_wins(settings: list[str], retention_ms: int) -> None:
    assert read_config(None, settings).topic_defaults == {"retention.ms": str(retention_ms)}


def test_all_unknown_names_of_a_file_are_said_at_once(tmp_path: Path) -> None:
    file = written(tmp_path, "prot=1\nhots=2\n")
    with pytest.raises(InvalidSetting, match=f"{file}: .*prot.*; {file}: .*hots"):
        read_config(file)


def test_a_file_that_is_not_there_is_said() -> None:
    with pytest.raises(InvalidSetting, match=r"nowhere\.properties cannot be read: "):
        read_config(Path("nowhere.properties"))
