"""`tailrace groups`: look at consumer groups and move their offsets."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from tailrace.commands.cluster import LOCAL, Cluster, CommandConfig, Servers, answers
from tailrace.commands.failure import CommandFailed, plain_failures
from tailrace.commands.instant import parse_instant
from tailrace.commands.offsets import find_offsets
from tailrace.commands.output import AsJson, print_json, print_table, say
from tailrace.commands.reset import Bounds, Target, new_offset

groups = typer.Typer(
    help="List, describe and delete consumer groups, and move their offsets.",
    no_args_is_help=True,
    epilog="Example: tailrace groups describe billing",
)

Group = Annotated[str, typer.Argument(metavar="GROUP", help="Id of the group.")]
Groups = Annotated[list[str], typer.Argument(metavar="GROUP...", help="Ids of the groups.")]
Position = tuple[str, int]


@groups.command("list")
@plain_failures
def list_groups(servers: Servers = LOCAL, command_config: CommandConfig = None, as_json: AsJson = False) -> None:
    """List all groups with their state."""
    admin = Cluster(servers, command_config).admin()
    listed = answers({"groups": admin.list_consumer_groups()}, "list of")["groups"]
    if listed.errors:
        raise CommandFailed("; ".join(str(error) for error in listed.errors))
    found = [
        {"group": group.group_id, "state": group.state.name.lower(), "type": group.type.name.lower()}
        for group in sorted(listed.valid, key=lambda group: str(group.group_id))
    ]
    if as_json:
        print_json(found)
    else:
        print_table(["GROUP", "STATE", "TYPE"], [list(row.values()) for row in found])


@groups.command()
@plain_failures
def describe(
    names: Groups, servers: Servers = LOCAL, command_config: CommandConfig = None, as_json: AsJson = False
) -> None:
    """Show members, what they are assigned, and how far each partition is behind.

    LAG counts offsets up to the end that readers of committed records may see.
    """
    cluster = Cluster(servers, command_config)
    admin = cluster.admin()
    described = answers(admin.describe_consumer_groups(list(names)), "group")
    found = [_describe(cluster, admin, name, described[name]) for name in names]
    if as_json:
        print_json(found)
        return
    for group in found:
        say(f"{group['group']}  {group['state']}, assignor {group['assignor'] or '-'}")
        columns = ["  TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "MEMBER", "CLIENT", "HOST"]
        print_table(columns, [[f"  {p['topic']}", *list(p.values())[1:]] for p in group["partitions"]])
        idle = [m for m in group["members"] if not m["assignment"]]
        for member in idle:
            say(f"  {member['member']} ({member['client']}, {member['host']}) has no partition")


def _describe(cluster: Cluster, admin: Any, name: str, group: Any) -> dict[str, Any]:
    members = [_member(member) for member in group.members]
    owners = {(a["topic"], a["partition"]): member for member in members for a in member["assignment"]}
    committed = committed_offsets(admin, name)
    if group.state.name == "DEAD" and not committed:
        raise CommandFailed(f"the cluster at {cluster.bootstrap_servers} has no group {name}")
    positions = sorted(committed.keys() | owners.keys())
    bounds = _bounds(cluster, admin, positions)
    return {
        "group": name,
        "state": group.state.name.lower(),
        "assignor": group.partition_assignor,
        "members": members,
        "partitions": [
            _progress(position, committed.get(position), bounds.get(position), owners.get(position))
            for position in positions
        ],
    }


def _member(member: Any) -> dict[str, Any]:
    return {
        "member": member.member_id,
        "instance": member.group_instance_id,
        "client": member.client_id,
        "host": member.host,
        "assignment": [
            {"topic": partition.topic, "partition": partition.partition}
            for partition in member.assignment.topic_partitions
        ],
    }


def _progress(
    position: Position, committed: int | None, bounds: Bounds | None, owner: Mapping[str, Any] | None
) -> dict[str, Any]:
    return {
        "topic": position[0],
        "partition": position[1],
        "committed": committed,
        "end": bounds.latest if bounds else None,
        "lag": None if committed is None or bounds is None else max(bounds.latest - committed, 0),
        "member": owner["member"] if owner else None,
        "client": owner["client"] if owner else None,
        "host": owner["host"] if owner else None,
    }


def committed_offsets(admin: Any, group: str) -> dict[Position, int]:
    """The next offset to read that a group committed, by topic and partition."""
    from confluent_kafka import ConsumerGroupTopicPartitions

    futures = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
    listed = answers(futures, "offsets of")[group].topic_partitions
    return {(p.topic, p.partition): p.offset for p in listed if p.offset >= 0}


def _bounds(cluster: Cluster, admin: Any, positions: Iterable[Position]) -> dict[Position, Bounds]:
    """Where the partitions begin and end; those of topics that are gone are left out."""
    known = cluster.metadata(admin).topics
    found = {}
    for topic, partitions in _by_topic(positions).items():
        if topic not in known:
            continue
        there = [partition for partition in partitions if partition in known[topic].partitions]
        earliest = find_offsets(admin, topic, there, "earliest", committed=True)
        latest = find_offsets(admin, topic, there, "latest", committed=True)
        for partition in there:
            found[topic, partition] = Bounds(earliest[partition].offset, latest[partition].offset)
    return found


def _by_topic(positions: Iterable[Position]) -> dict[str, list[int]]:
    topics: dict[str, list[int]] = {}
    for topic, partition in positions:
        topics.setdefault(topic, []).append(partition)
    return topics


@groups.command()
@plain_failures
def delete(names: Groups, servers: Servers = LOCAL, command_config: CommandConfig = None) -> None:
    """Delete groups without members, with their offsets."""
    admin = Cluster(servers, command_config).admin()
    answers(admin.delete_consumer_groups(list(names)), "group", lambda name: say(f"deleted {name}"))


@groups.command("reset-offsets")
@plain_failures
def reset_offsets(
    name: Group,
    topics: Annotated[
        list[str] | None,
        typer.Option("--topic", metavar="TOPIC[:0,1,...]", help="Which partitions; can be repeated."),
    ] = None,
    all_topics: Annotated[bool, typer.Option("--all-topics", help="All partitions that the group committed.")] = False,
    to_earliest: Annotated[bool, typer.Option("--to-earliest", help="To the first record.")] = False,
    to_latest: Annotated[bool, typer.Option("--to-latest", help="Behind the last record.")] = False,
    to_offset: Annotated[int | None, typer.Option(help="To this offset.")] = None,
    to_timestamp: Annotated[
        str | None, typer.Option(metavar="TIMESTAMP", help="To the first record at or after this (ms or ISO 8601).")
    ] = None,
    shift_by: Annotated[int | None, typer.Option(help="By so many offsets, forward or back.")] = None,
    execute: Annotated[bool, typer.Option("--execute", help="Do it; without this it is only shown.")] = False,
    servers: Servers = LOCAL,
    command_config: CommandConfig = None,
    as_json: AsJson = False,
) -> None:
    """Move the offsets of a group without members; only shows what it would do unless --execute is given.

    An offset outside of the partition becomes its first or its last one.

    Example: tailrace groups reset-offsets billing --topic orders --to-timestamp 2026-11-23T09:00Z --execute
    """
    target = Target.only(
        to_earliest=to_earliest,
        to_latest=to_latest,
        to_offset=to_offset,
        to_timestamp=None if to_timestamp is None else parse_instant(to_timestamp),
        shift_by=shift_by,
    )
    cluster = Cluster(servers, command_config)
    admin = cluster.admin()
    committed = committed_offsets(admin, name)
    positions = _chosen(cluster, admin, topics or (), committed if all_topics else {})
    bounds = _bounds(cluster, admin, positions)
    found = _at_timestamp(admin, positions, target.to_timestamp)
    plan = [
        {
            "topic": topic,
            "partition": partition,
            "from": committed.get((topic, partition)),
            "to": new_offset(
                target, committed.get((topic, partition)), bounds[topic, partition], found.get((topic, partition), -1)
            ),
        }
        for topic, partition in positions
        if (topic, partition) in bounds
    ]
    if execute:
        _commit(admin, name, plan)
    if as_json:
        print_json({"group": name, "executed": execute, "offsets": plan})
        return
    print_table(["TOPIC", "PARTITION", "FROM", "TO"], [list(row.values()) for row in plan])
    say(f"moved the offsets of {name}" if execute else "nothing was changed; --execute does it")


def _chosen(cluster: Cluster, admin: Any, topics: Iterable[str], committed: Iterable[Position]) -> list[Position]:
    positions = set(committed)
    for wanted in topics:
        topic, colon, listed = wanted.partition(":")
        there = cluster.partitions(admin, topic)
        chosen = [int(number) if number.strip().isdecimal() else -1 for number in listed.split(",")] if colon else there
        if not set(chosen) <= set(there):
            raise CommandFailed(f"--topic {wanted}: {topic} has the partitions {there[0]} to {there[-1]}")
        positions |= {(topic, partition) for partition in chosen}
    if not positions:
        raise CommandFailed("no partition is chosen; give --topic, or --all-topics for a group with committed offsets")
    return sorted(positions)


def _at_timestamp(admin: Any, positions: Iterable[Position], timestamp_ms: int | None) -> dict[Position, int]:
    """The first offset at or after a moment, -1 where all records are older."""
    if timestamp_ms is None:
        return {}
    return {
        (topic, partition): found.offset
        for topic, partitions in _by_topic(positions).items()
        for partition, found in find_offsets(admin, topic, partitions, timestamp_ms, committed=True).items()
    }


def _commit(admin: Any, group: str, plan: Iterable[Mapping[str, Any]]) -> None:
    from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

    described = answers(admin.describe_consumer_groups([group]), "group")[group]
    if described.members:
        raise CommandFailed(
            f"group {group} has {len(described.members)} members, which would commit their own offsets; stop them "
            "first, and wait until the sessions of static members have ended"
        )
    wanted = [TopicPartition(row["topic"], row["partition"], row["to"]) for row in plan]
    futures = admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, wanted)])
    failed = [p for p in answers(futures, "offsets of")[group].topic_partitions if p.error is not None]
    if failed:
        raise CommandFailed("; ".join(f"{p.topic} {p.partition}: {p.error.str()}" for p in failed))
