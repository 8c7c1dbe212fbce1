"""A sound directory has no problem; whatever is changed in it is found, and told with its place."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tailrace.broker.disk import Disk
from tailrace.broker.offline.journal_file import stored_frames
from tailrace.broker.offline.owner import owner_of
from tailrace.broker.offline.verify import Report, verify
from tailrace.broker.recovery import recover
from tailrace.testing.broker import BrokerProcess


def files(root: Path) -> dict[Path, tuple[bytes, int]]:
    return {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in root.rglob("*") if p.is_file()}


def only(report: Report) -> str:
    """The one problem, as file, byte and description."""
    [problem] = report.problems
    return f"{Path(problem.file).name} {problem.position} {problem.what}"


def a_file(root: Path, pattern: str) -> Path:
    """The largest file of that name."""
    return max(root.glob(pattern), key=lambda path: path.stat().st_size)


def change(path: Path, position: int, flip: int = 0xFF) -> None:
    with path.open("r+b") as file:
        file.seek(position)
        [byte] = file.read(1)
        file.seek(position)
        file.write(bytes([byte ^ flip]))


@pytest.mark.parametrize("kind", ["stopped", "crashed", "compacted"])
def test_a_sound_directory_is_read_and_left_as_it_is(request: pytest.FixtureRequest, kind: str) -> None:
    root: Path = request.getfixturevalue(kind)
    before = files(root)
    report = verify(root)
    assert report.problems == []
    assert report.batches > 0
    assert (report.frames > 0) == (kind == "crashed")
    assert files(root) == before


def test_everything_is_counted(stopped: Path) -> None:
    report = verify(stopped)
    logs = [path for path in stopped.rglob("*.log") if path.stat().st_size]
    assert (report.topics, report.partitions) == (6, 9)
    assert report.segments == len(logs) > 10
    assert report.bytes_read == sum(path.stat().st_size for path in logs)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_a_changed_byte_of_checkpoint_segments_or_indexes_is_found(stopped: Path, data: st.DataObject) -> None:
    known = [p for p in sorted(stopped.rglob("*")) if p.suffix in (".log", ".index") or p.name == "checkpoint"]
    path = data.draw(st.sampled_from([p for p in known if p.stat().st_size]), "file")
    position = data.draw(st.integers(0, path.stat().st_size - 1), "byte")
    flip = data.draw(st.integers(1, 255), "flip")
    change(path, position, flip)
    try:
        assert str(path.relative_to(stopped)) in {problem.file for problem in verify(stopped).problems}
    finally:
        change(path, position, flip)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_a_changed_byte_of_a_frame_is_found(crashed: Path, data: st.DataObject) -> None:
    """Those that a later frame knows to have been durable; what a crash tears off is no problem."""
    path = a_file(crashed, "journal/*")
    frames = list(stored_frames(path, int(path.name)))
    known_durable = [f for f in frames if f.frame.number <= frames[-1].durable]
    frame = data.draw(st.sampled_from(known_durable), "frame")
    position = data.draw(st.integers(frame.position, frame.end - 1), "byte")
    change(path, position)
    try:
        assert "although it was durable" in only(verify(crashed))
    finally:
        change(path, position)


def test_a_torn_end_of_the_journal_is_no_problem(crashed: Path) -> None:
    path = a_file(crashed, "journal/*")
    last = list(stored_frames(path, int(path.name)))[-1]
    change(path, last.end - 1)
    assert verify(crashed).problems == []


Damage = Callable[[Path], object]


def cut(root: Path) -> None:
    log = a_file(root, "topics/orders-1/*/0/*.log")
    log.write_bytes(log.read_bytes()[:-1])


def remove_segment(root: Path) -> None:
    a_file(root, "topics/orders-1/*/0/*.log").unlink()


def swap_batches(root: Path) -> None:
    """Two intact batches in the wrong order."""
    log = a_file(root, "topics/sums-1/*/0/*.log")
    data = log.read_bytes()
    size = 12 + int.from_bytes(data[8:12], "big")
    log.write_bytes(data[size:] + data[:size])


def change_epoch(root: Path) -> None:
    """Byte 12 to 16 of a batch, which the CRC does not cover."""
    change(a_file(root, "topics/sums-1/*/0/*.log"), 15)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut, "bytes, the checkpoint says"),
        (remove_segment, "cannot be opened: No such file or directory"),
        (swap_batches, "has offset 0, expected"),
        (change_epoch, "has leader epoch 255, the checkpoint says 0"),
        (lambda root: (root / "checkpoint").write_bytes(b""), "wrong magic or CRC"),
        (lambda root: (root / "checkpoint").unlink(), "there is none"),
        (lambda root: change(a_file(root, "topics/orders-1/*/0/*.index"), 47), "entry 1 is ("),
        (lambda root: change(a_file(root, "topics/orders-1/*/0/*.log"), 16), "has a wrong CRC, or magic -3, not 2"),
    ],
)
def test_what_is_wrong_is_said(stopped: Path, damage: Damage, said: str) -> None:
    damage(stopped)
    assert said in " ".join(problem.what for problem in verify(stopped).problems)


def test_a_missing_file_of_the_journal_is_said(crashed: Path) -> None:
    path = a_file(crashed, "journal/*")
    path.rename(path.with_name(f"{int(path.name) + 5:020}"))
    assert "a file is missing" in " ".join(problem.what for problem in verify(crashed).problems)


def test_what_no_topic_owns_is_a_note(stopped: Path) -> None:
    (stopped / "topics" / "old" / "a-uuid").mkdir(parents=True)
    report = verify(stopped)
    assert report.problems == []
    assert report.notes == ["topics/old/a-uuid belongs to no topic; the broker removes it when it starts"]


def test_what_a_broker_could_start_from_is_sound_and_the_other_way_round(crashed: Path) -> None:
    disk = Disk(crashed)
    recover(disk)
    assert verify(crashed).problems == []


def test_a_running_broker_is_seen_and_not_disturbed(tmp_path: Path) -> None:
    assert owner_of(tmp_path) is None
    with BrokerProcess(tmp_path) as broker:
        assert owner_of(tmp_path) == broker.pid
        assert verify(tmp_path).problems == []
    assert owner_of(tmp_path) is None
