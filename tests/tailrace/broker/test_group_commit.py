"""Group commit: what an orderly stop leaves on disk."""

from pathlib import Path

import pytest

from tailrace.broker.log.segment import Segment

from .conftest import Scenario, append, create_topic, running


def test_a_stop_in_the_middle_of_a_checkpoint_leaves_no_segment_unsynced(
    tmp_path: Path, run: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkpoint of the last round is still to be written when the stop hears that everything is durable."""
    synced = []
    sync = Segment.sync

    def sync_and_note(segment: Segment, unstored_index: tuple[bytes, int]) -> None:
        sync(segment, unstored_index)
        synced.append(segment.log_name)

    monkeypatch.setattr(Segment, "sync", sync_and_note)

    async def scenario() -> None:
        async with running(tmp_path) as broker:
            topic = create_topic(broker)
            append(broker, topic, b"value")
            broker.commit.remove_later(["a file that is not needed any more"])
            await broker.commit.stop(10)
            assert topic.partitions[0].active.log_name in synced
            assert not list((tmp_path / "journal").glob("*1")), "the checkpoint replaces the frames"

    run(scenario)
