"""What the test run says about tests that the machine cannot run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDS_KAFKA = "def test_one(kafka): ...\ndef test_two(kafka): ...\ndef test_plain(): ...\n"
SKIPS = "import pytest\ndef test_one(): pytest.skip('no time')\ndef test_plain(): ...\n"


def run_pytest(directory: Path, tests: str, *, require_all: str) -> subprocess.CompletedProcess[str]:
    """Run these tests under our conftest, where there is no Apache Kafka."""
    shutil.copy(ROOT / "tests" / "conftest.py", directory)
    (directory / "test_it.py").write_text(tests)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--rootdir", str(directory), str(directory)],
        cwd=directory,
        env={**os.environ, "KAFKA_HOME": str(directory), "REQUIRE_ALL": require_all, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_they_are_skipped_loudly(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, NEEDS_KAFKA, require_all="")
    assert "NOT TESTED HERE" in run.stdout
    assert "2 kafka tests: Apache Kafka is not installed; run 'make provision'" in run.stdout
    assert run.stdout.splitlines()[-1].startswith("1 passed, 2 skipped in ")
    assert run.returncode == pytest.ExitCode.OK


def test_they_fail_where_all_are_required(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, NEEDS_KAFKA, require_all="1")
    assert run.stdout.splitlines()[-1].startswith("1 passed, 2 errors in ")
    assert run.returncode == pytest.ExitCode.TESTS_FAILED


def test_any_skip_is_a_failure_where_all_are_required(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, SKIPS, require_all="1")
    assert "REQUIRE_ALL=1 forbids skips, and 1 tests were skipped" in run.stdout
    assert run.returncode == pytest.ExitCode.TESTS_FAILED
