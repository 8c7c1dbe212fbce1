"""State on real brokers: counts and windows behind a repartition, exact whatever becomes of instances and disks."""

from collections import Counter, defaultdict

import pytest
import structlog

from tailrace.client import read_to_end
from tailrace.streams import Emit, Topology, Tumbling
from tailrace.streams.types import PLAIN
from tailrace.streams.windows import WindowedSerde
from tests.tailrace.streams.application import Application

START_MS = 1_700_000_000_000
LINES = [f"{'a b c d e f g'[number % 13 :]} w{number % 5}" for number in range(600)]


def counting(name, prefix):
    topology = Topology(name)
    lines = topology.stream(f"{prefix}lines", str)
    words = lines.flat_map_values(str.split, value=str).group_by(lambda word: word)
    words.count(store="words").to(f"{prefix}counts")
    windows = lines.group_by_key().windowed_by(Tumbling(100, grace=10), emit=Emit.CLOSE)
    windows.count(store="windows").to(f"{prefix}windows")
    return topology


class Counting(Application):
    """Lines of text; counts of their words, and of the lines of each key within windows."""

    def __init__(self, bootstrap_servers, name, folder):
        super().__init__(bootstrap_servers, name, folder, counting)
        self.sent = 0

    def send_lines(self, lines, start_ms=0):
        for line in lines:
            time_ms = START_MS + start_ms + self.sent
            self.producer.produce(f"{self.prefix}lines", line.encode(), key=f"k{self.sent % 7}", timestamp=time_ms)
            self.sent += 1
        assert self.producer.flush(60) == 0

    def send_late_lines(self, line, time_ms):
        for key in range(7):
            self.producer.produce(f"{self.prefix}lines", line.encode(), key=f"k{key}", timestamp=time_ms)
        assert self.producer.flush(60) == 0

    def counts(self):
        counts = defaultdict(list)
        for record in read_to_end(self.bootstrap_servers, [f"{self.prefix}counts"]):
            counts[record.key().decode()].append(PLAIN[int].decode(record.value()))
        return dict(counts)

    def windows(self):
        serde = WindowedSerde(PLAIN[str], 100)
        return [
            (window.key, window.start, PLAIN[int].decode(record.value()))
            for record in read_to_end(self.bootstrap_servers, [f"{self.prefix}windows"])
            for window in [serde.decode(record.key())]
        ]

    def wait_for_counts(self, lines):
        self.wait_for_records(f"{self.prefix}counts", sum(len(line.split()) for line in lines))


@pytest.fixture
def application(engine, unique, tmp_path):
    return Counting(engine.bootstrap_servers, unique("counting"), tmp_path)


def expected_counts(lines):
    return {word: list(range(1, n + 1)) for word, n in Counter(w for line in lines for w in line.split()).items()}


def test_counts_are_exact_while_instances_come_and_go_and_lose_their_disk(application):
    application.send_lines(LINES[:200])
    with application.start("1"):
        application.wait_for_counts(LINES[:200])
        with application.start("2"):
            application.send_lines(LINES[200:400])
            application.wait_for_counts(LINES[:400])
    application.send_lines(LINES[400:])
    with application.start("1", folder="a new disk"):
        application.wait_for_counts(LINES)
    assert application.counts() == expected_counts(LINES)


def test_windows_close_once_although_the_instance_is_replaced_and_late_lines_follow(application):
    application.send_lines(LINES[:250])
    with application.start("1"):
        application.wait_for_counts(LINES[:250])
    application.send_late_lines("late", START_MS)
    application.send_lines(LINES[250:])
    with application.start("2"):
        application.wait_for_counts([*LINES, *["late"] * 7])
        application.send_lines(["end"] * 21, start_ms=10_000)
        application.wait_for_counts([*LINES, *["late"] * 7, *["end"] * 21])
    expected = Counter((f"k{n % 7}", START_MS + n // 100 * 100) for n in range(600))
    assert Counter({(key, at): count for key, at, count in application.windows()}) == expected
    assert len(application.windows()) == len(expected)


def test_state_that_is_too_old_to_know_of_deletions_is_rebuilt(application, monkeypatch):
    """Compaction may have forgotten what was deleted after the state was written."""
    application.send_lines(LINES[:50])
    with application.start("1"):
        application.wait_for_counts(LINES[:50])
    # Another instance has the state go on, so that the first one's is behind.
    application.send_lines(LINES[50:100])
    with application.start("2"):
        application.wait_for_counts(LINES[:100])
    monkeypatch.setattr("tailrace.streams.opening.DELETIONS_KEPT_MS", 0)
    application.send_lines(LINES[100:150])
    with structlog.testing.capture_logs() as logs, application.start("1"):
        application.wait_for_counts(LINES[:150])
    assert any("may have forgotten" in line.get("reason", "") for line in logs)
    assert application.counts() == expected_counts(LINES[:150])
