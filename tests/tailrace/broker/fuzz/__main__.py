"""`make fuzz`: every target for some seconds with atheris, each in a process of its own, with a table at the end.

Inputs that lead to new code are kept in artifacts/fuzz, and so is what made a target fail.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from .fuzzer import TARGET_NAMES

SECONDS = int(os.environ.get("SECONDS_EACH", "60"))
OUTPUT = Path("artifacts/fuzz")
MEMORY_MB = 2048
HANG_S = 20
DONE = re.compile(r"Done (\d+) (?:runs|in)")
PROGRESS = re.compile(r"^#(\d+)\s", re.MULTILINE)


def fuzz(target: str) -> tuple[int, bool]:
    """Executions, and whether all went well."""
    directory = OUTPUT / target
    corpus = directory / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={SECONDS}", f"-rss_limit_mb={MEMORY_MB}", f"-timeout={HANG_S}"]
    options += [f"-artifact_prefix={directory}/", str(corpus)]
    command = [sys.executable, "-m", "tests.tailrace.broker.fuzz.fuzzer", target, *options]
    with (directory / "log").open("w+") as log:
        ended = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False)
        log.seek(0)
        text = log.read()
    counts = [int(count) for count in PROGRESS.findall(text) + DONE.findall(text)]
    return max(counts, default=0), ended.returncode == 0


def main() -> None:
    chosen = sys.argv[1:] or TARGET_NAMES
    failed = []
    for target in chosen:
        executions, is_well = fuzz(target)
        print(f"{target:14} {executions:>10,} executions  {'ok' if is_well else 'FAILED'}", flush=True)  # noqa: T201
        if not is_well:
            failed.append(target)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}; see artifacts/fuzz/{failed[0]}/log")


if __name__ == "__main__":
    main()
