"""Settings that make much happen in a short run."""

import pytest

from tailrace.broker import compaction, group_commit
from tailrace.broker.log import journal


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints often, and compaction without rests."""
    for module in (journal, group_commit):
        monkeypatch.setattr(module, "RESERVED_BYTES", 16_000)
    monkeypatch.setattr(group_commit, "FRAMES_PER_FILE_MAX", 100)
    monkeypatch.setattr(compaction, "WORK_S", float("inf"))
