"""The coordinator in a broker: timers, restarts, and groups of the other protocol."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from kio.schema.errors import ErrorCode

from tailrace.broker.broker import Broker
from tailrace.broker.events import GroupConfigured, OffsetsCommitted, TopicDeleted
from tailrace.broker.groups import configs
from tailrace.broker.groups.consumer.group import ConsumerGroup
from tailrace.broker.groups.consumer.heartbeat import Accepted, Heartbeat, Refused
from tailrace.broker.groups.consumer.member import AWAY, LEAVING, Member, TopicPartition
from tailrace.broker.groups.coordinator import JoinRequest

from ...conftest import create_topic, running

Run = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for what the broker does by itself; `run` gives up in the end."""
    while not is_so():  # noqa: ASYNC110 - timers set no event
        await asyncio.sleep(0.002)


def beat(broker: Broker, member_id: str, epoch: int, **told: Any) -> Accepted:
    answer = broker.consumer_groups.heartbeat(Heartbeat("group", member_id, epoch, **told))
    assert isinstance(answer, Accepted), answer
    return answer


def join(broker: Broker, member_id: str, rebalance_timeout_ms: int = 60_000, **told: Any) -> Accepted:
    told |= {"subscribed_topic_names": ("topic",), "owned": frozenset()}
    return beat(broker, member_id, 0, rebalance_timeout_ms=rebalance_timeout_ms, **told)


def group_of(broker: Broker) -> ConsumerGroup:
    return broker.state.consumer_groups["group"]


def member_of(broker: Broker, member_id: str) -> Member:
    return group_of(broker).members[member_id]


def has(broker: Broker, member_id: str) -> frozenset[TopicPartition]:
    return frozenset(member_of(broker, member_id).assigned)


def classic_join(broker: Broker, member_id: str = "") -> asyncio.Task[Any]:
    request = JoinRequest(
        "group", member_id, None, "client", "/host", 6000, 6000, "consumer", (("range", b""),), False, False
    )
    return asyncio.ensure_future(broker.groups.join(request))


def test_a_silent_member_is_expelled(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path, group_consumer_session_timeout_ms=100) as broker:
            topic = create_topic(broker, partitions=2)
            join(broker, "silent")
            await until(lambda: not group_of(broker).members)
            assert join(broker, "other").assignment == {(topic.id, 0), (topic.id, 1)}

    run(scenario)


def test_a_session_can_be_configured_for_one_group(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            create_topic(broker)
            broker.record(events=[GroupConfigured("group", {configs.SESSION_TIMEOUT_MS: "100"})])
            join(broker, "silent")
            await until(lambda: not group_of(broker).members)

    run(scenario)


def test_a_heartbeat_prolongs_the_session(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path, group_consumer_session_timeout_ms=400) as broker:
            create_topic(broker)
            join(broker, "silent")
            join(broker, "present")

            async def stay() -> None:
                while "silent" in group_of(broker).members:
                    beat(broker, "present", member_of(broker, "present").epoch)
                    await asyncio.sleep(0.02)

            await stay()
            assert "present" in group_of(broker).members

    run(scenario)


def test_a_member_that_does_not_give_up_is_expelled(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            create_topic(broker, partitions=2)
            join(broker, "slow", rebalance_timeout_ms=50)
            join(broker, "other")
            beat(broker, "slow", 2)
            await until(lambda: "slow" not in group_of(broker).members)
            beat(broker, "other", 3)
            assert len(has(broker, "other")) == 2

    run(scenario)


def test_a_member_that_gives_up_in_time_stays(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path, group_consumer_session_timeout_ms=300) as broker:
            create_topic(broker, partitions=2)
            join(broker, "quick", rebalance_timeout_ms=50)
            join(broker, "silent")
            kept = beat(broker, "quick", 2).assignment
            beat(broker, "quick", 2, owned=kept)
            while "silent" in group_of(broker).members:
                beat(broker, "quick", member_of(broker, "quick").epoch)
                await asyncio.sleep(0.02)
            assert "quick" in group_of(broker).members

    run(scenario)


def test_members_go_on_after_a_restart(run: Run, tmp_path: Path) -> None:
    async def before() -> None:
        async with running(tmp_path) as broker:
            create_topic(broker, partitions=4)
            join(broker, "a")
            join(broker, "s", instance_id="one")
            beat(broker, "a", 2)
            beat(broker, "s", AWAY, instance_id="one")
            await broker.commit.durable()

    async def after() -> None:
        async with running(tmp_path) as broker:
            frame = broker.state.next_frame
            assert beat(broker, "a", 2).member_epoch == 2
            assert broker.state.next_frame == frame, "nothing changed"
            kept = has(broker, "a")
            assert beat(broker, "a", 2, owned=kept).member_epoch == 3
            assert join(broker, "t", instance_id="one").member_epoch == 3
            assert len(has(broker, "t") | kept) == 4
            assert group_of(broker).epoch == 3
            await broker.commit.stop(checkpoint_within_s=10)

    async def from_checkpoint() -> None:
        async with running(tmp_path) as broker:
            frame = broker.state.next_frame
            assert beat(broker, "a", 3).assignment is None
            assert broker.state.next_frame == frame

    run(before)
    run(after)
    run(from_checkpoint)


def test_sessions_and_revocations_go_on_after_a_restart(run: Run, tmp_path: Path) -> None:
    async def before() -> None:
        async with running(tmp_path) as broker:
            create_topic(broker, partitions=2)
            join(broker, "slow", rebalance_timeout_ms=50)
            join(broker, "silent")
            beat(broker, "slow", 2)
            await broker.commit.durable()

    async def after() -> None:
        async with running(tmp_path, group_consumer_session_timeout_ms=150) as broker:
            await until(lambda: "slow" not in group_of(broker).members)
            assert "silent" in group_of(broker).members
            await until(lambda: not group_of(broker).members)

    run(before)
    run(after)


def test_topics_that_change_are_noticed_with_the_next_heartbeat(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            assert join(broker, "a").assignment == frozenset()
            topic = create_topic(broker)
            assert beat(broker, "a", 2).assignment == {(topic.id, 0)}
            frame = broker.state.next_frame
            create_topic(broker, "unrelated")
            beat(broker, "a", 3)
            assert broker.state.next_frame == frame + 1, "the topic's frame, none of the group"
            broker.record(events=[TopicDeleted(topic.id)])
            assert beat(broker, "a", 3).assignment == frozenset()

    run(scenario)


def test_an_empty_classic_group_becomes_a_consumer_group_and_back(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            create_topic(broker)
            joined = await classic_join(broker)
            row = ("topic", 0, 5, 0, "", 0)
            broker.record(events=[OffsetsCommitted("group", [row])])
            heartbeat = Heartbeat(
                "group", "a", 0, subscribed_topic_names=("topic",), rebalance_timeout_ms=1, owned=frozenset()
            )
            refused = broker.consumer_groups.heartbeat(heartbeat)
            assert isinstance(refused, Refused)
            assert refused.error is ErrorCode.group_id_not_found

            broker.groups.leave("group", joined.member_id, None)
            assert join(broker, "a").assignment
            assert "group" not in broker.groups.groups
            outcome = await classic_join(broker)
            assert outcome.error is ErrorCode.inconsistent_group_protocol

            beat(broker, "a", LEAVING)
            assert (await classic_join(broker)).error is ErrorCode.none
            assert broker.state.consumer_groups.get("group") is None
            assert broker.state.offsets.committed["group"]["topic", 0] == row

    run(scenario)


def test_groups_that_nobody_left_anything_in_are_forgotten_at_a_restart(run: Run, tmp_path: Path) -> None:
    async def before() -> None:
        async with running(tmp_path) as broker:
            create_topic(broker)
            join(broker, "a")
            beat(broker, "a", LEAVING)
            assert group_of(broker).members == {}
            await broker.commit.durable()

    async def after(*, keeps: bool) -> None:
        async with running(tmp_path) as broker:
            assert (broker.state.consumer_groups.get("group") is not None) == keeps
            if not keeps:
                join(broker, "a")
                beat(broker, "a", LEAVING)
                broker.record(events=[OffsetsCommitted("group", [("topic", 0, 5, 0, "", 0)])])
            await broker.commit.durable()

    run(before)
    run(lambda: after(keeps=False))
    run(lambda: after(keeps=True))
