"""`tailrace topics`: look at topics and change them."""

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from tailrace.commands.cluster import LOCAL, Cluster, CommandConfig, Servers, answers
from tailrace.commands.failure import CommandFailed, plain_failures
from tailrace.commands.instant import parse_instant, show_instant
from tailrace.commands.offsets import find_offsets
from tailrace.commands.output import AsJson, print_json, print_table, say

topics = typer.Typer(
    help="List, describe, create, delete and change topics.",
    no_args_is_help=True,
    epilog="Example: tailrace topics list --json",
)

Name = Annotated[str, typer.Argument(metavar="TOPIC", help="Name of the topic.")]
Names = Annotated[list[str], typer.Argument(metavar="TOPIC...", help="Names of the topics.")]
Configs = Annotated[
    list[str] | None,
    typer.Option("--config", metavar="NAME=VALUE", help="A configuration by Kafka's name; can be repeated."),
]


@topics.command("list")
@plain_failures
def list_topics(servers: Servers = LOCAL, command_config: CommandConfig = None, as_json: AsJson = False) -> None:
    """List all topics."""
    cluster = Cluster(servers, command_config)
    metadata = cluster.metadata(cluster.admin())
    found = [
        {"name": name, "partitions": len(topic.partitions), "replication_factor": _replicas(topic)}
        for name, topic in sorted(metadata.topics.items())
    ]
    if as_json:
        print_json(found)
    else:
        print_table(["TOPIC", "PARTITIONS", "REPLICAS"], [list(row.values()) for row in found])


def _replicas(topic: Any) -> int:
    return max((len(partition.replicas) for partition in topic.partitions.values()), default=0)


@topics.command()
@plain_failures
def describe(
    names: Names, servers: Servers = LOCAL, command_config: CommandConfig = None, as_json: AsJson = False
) -> None:
    """Show partitions, leaders and the configurations that are not the default."""
    from confluent_kafka import TopicCollection

    admin = Cluster(servers, command_config).admin()
    described = answers(admin.describe_topics(TopicCollection(names)), "topic")
    configs = _configs(admin, names)
    found = [
        {
            "name": name,
            "id": str(topic.topic_id),
            "partitions": [_partition(partition) for partition in topic.partitions],
            "configs": configs[name],
        }
        for name, topic in described.items()
    ]
    if as_json:
        print_json(found)
        return
    for topic in found:
        say(f"{topic['name']}  id {topic['id']}")
        for name, value in topic["configs"].items():
            say(f"  {name}={value}")
        print_table(
            ["  PARTITION", "LEADER", "REPLICAS", "IN SYNC"],
            [
                [p["partition"], p["leader"], _joined(p["replicas"]), _joined(p["in_sync_replicas"])]
                for p in topic["partitions"]
            ],
        )


def _partition(partition: Any) -> dict[str, Any]:
    return {
        "partition": partition.id,
        "leader": partition.leader.id if partition.leader else None,
        "replicas": [node.id for node in partition.replicas],
        "in_sync_replicas": [node.id for node in partition.isr],
    }


def _joined(numbers: Iterable[int]) -> str:
    return ",".join(map(str, numbers))


def _configs(admin: Any, names: list[str]) -> dict[str, dict[str, str]]:
    """Per topic, the configurations that were set for it."""
    from confluent_kafka.admin import ConfigResource, ConfigSource  # type: ignore[attr-defined]

    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
    source = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
    return {
        resource.name: {name: entry.value for name, entry in sorted(entries.items()) if entry.source == source}
        for resource, entries in answers(admin.describe_configs(resources), "configuration of").items()
    }


@topics.command()
@plain_failures
def create(
    names: Names,
    partitions: Annotated[int, typer.Option(help="Number of partitions; -1 is the broker's default.")] = -1,
    replication_factor: Annotated[int, typer.Option(help="Number of replicas; -1 is the broker's default.")] = -1,
    configs: Configs = None,
    if_not_exists: Annotated[bool, typer.Option("--if-not-exists", help="A topic that is there is fine.")] = False,
    servers: Servers = LOCAL,
    command_config: CommandConfig = None,
) -> None:
    """Create topics.

    Example: tailrace topics create orders --partitions 6 --config retention.ms=86400000
    """
    from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

    settings = dict(map(_name_and_value, configs or ()))
    cluster = Cluster(servers, command_config)
    admin = cluster.admin()
    wanted = list(names)
    if if_not_exists:
        known = cluster.metadata(admin).topics
        wanted = [name for name in names if name not in known]
    for name in set(names).difference(wanted):
        say(f"{name} is there already")
    new = [NewTopic(name, partitions, replication_factor, config=settings) for name in wanted]
    if new:
        answers(admin.create_topics(new), "topic", lambda name: say(f"created {name}"))


@topics.command()
@plain_failures
def delete(names: Names, servers: Servers = LOCAL, command_config: CommandConfig = None) -> None:
    """Delete topics with all their records; this cannot be undone."""
    admin = Cluster(servers, command_config).admin()
    answers(admin.delete_topics(names, operation_timeout=10), "topic", lambda name: say(f"deleted {name}"))


@topics.command()
@plain_failures
def configure(
    name: Name,
    configs: Configs = None,
    reset: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A configuration to go back to its default.")
    ] = None,
    servers: Servers = LOCAL,
    command_config: CommandConfig = None,
) -> None:
    """Set configurations of a topic; those that are not named stay as they are.

    Example: tailrace topics configure orders --config cleanup.policy=compact --reset retention.ms
    """
    from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource  # type: ignore[attr-defined]

    entries = [
        ConfigEntry(config, value, incremental_operation=AlterConfigOpType.SET)
        for config, value in map(_name_and_value, configs or ())
    ]
    entries += [ConfigEntry(config, "", incremental_operation=AlterConfigOpType.DELETE) for config in reset or ()]
    if not entries:
        raise CommandFailed("nothing to change; give --config NAME=VALUE or --reset NAME")
    admin = Cluster(servers, command_config).admin()
    resource = ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=entries)
    answers(admin.incremental_alter_configs([resource]), "configuration of")
    say(f"configured {name}")


@topics.command("add-partitions")
@plain_failures
def add_partitions(
    name: Name,
    total: Annotated[int, typer.Option(min=1, help="How many partitions the topic is to have in the end.")],
    servers: Servers = LOCAL,
    command_config: CommandConfig = None,
) -> None:
    """Give a topic more partitions; keys may go to other partitions than before.

    Example: tailrace topics add-partitions orders --total 12
    """
    from confluent_kafka.admin import NewPartitions  # type: ignore[attr-defined]

    admin = Cluster(servers, command_config).admin()
    answers(admin.create_partitions([NewPartitions(name, total)]), "topic")
    say(f"{name} has {total} partitions")


@topics.command()
@plain_failures
def offsets(
    name: Name,
    at: Annotated[
        str | None,
        typer.Option(metavar="TIMESTAMP", help="Also the first offset at or after this moment (ms or ISO 8601)."),
    ] = None,
    servers: Servers = LOCAL,
    command_config: CommandConfig = None,
    as_json: AsJson = False,
) -> None:
    """Show where each partition begins and ends.

    END is behind the last record, STABLE behind the last one that readers of committed records may see.
    """
    cluster = Cluster(servers, command_config)
    admin = cluster.admin()
    partitions = cluster.partitions(admin, name)
    asked = {
        "start": find_offsets(admin, name, partitions, "earliest", committed=False),
        "end": find_offsets(admin, name, partitions, "latest", committed=False),
        "stable": find_offsets(admin, name, partitions, "latest", committed=True),
        "newest": find_offsets(admin, name, partitions, "max_timestamp", committed=False),
    }
    if at is not None:
        asked["at"] = find_offsets(admin, name, partitions, parse_instant(at), committed=False)
    found = [_offsets(partition, {kind: by[partition] for kind, by in asked.items()}) for partition in partitions]
    if as_json:
        print_json(found)
        return
    columns = ["PARTITION", "START", "END", "STABLE", "RECORDS AND MARKERS", "NEWEST", *(["AT"] if at else [])]
    print_table(columns, [_offset_row(row) for row in found])


def _offsets(partition: int, found: dict[str, Any]) -> dict[str, int | None]:
    row = {
        "partition": partition,
        "start": found["start"].offset,
        "end": found["end"].offset,
        "stable": found["stable"].offset,
        "newest_timestamp": None if found["newest"].timestamp < 0 else found["newest"].timestamp,
    }
    if "at" in found:
        row["at"] = None if found["at"].offset < 0 else found["at"].offset
    return row


def _offset_row(row: dict[str, Any]) -> list[object]:
    newest = row["newest_timestamp"]
    shown = [row["partition"], row["start"], row["end"], row["stable"], row["end"] - row["start"]]
    shown.append(None if newest is None else show_instant(newest))
    return [*shown, row["at"]] if "at" in row else shown


def _name_and_value(setting: str) -> tuple[str, str]:
    name, equals, value = setting.partition("=")
    if not equals:
        raise CommandFailed(f"--config {setting}: expected NAME=VALUE")
    return name.strip(), value.strip()
