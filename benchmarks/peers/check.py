"""Does every peer do its jobs? Runs each on Apache Kafka and compares what comes out with a model of the job.

make check-peers            make check-peers ARGS="--peer Faust --job ledger"            make check-peers ARGS=--kill
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.peers import model
from benchmarks.peers.arguments import JOBS
from benchmarks.peers.commands import PEERS, ROOT, Peer, Raw, Run
from benchmarks.peers.model import Record
from benchmarks.peers.topics import Output, Topics
from tailrace.testing.kafka import KafkaProcess
from tailrace.testing.registry import RegistryProcess

GIVE_UP_S = 120.0
KILL_AT = 0.4
"""How much of the output there is when a peer is killed."""

KILL_RATE_PER_S = 1000.0
"""Of the input, when peers are killed, so that there is a middle."""


class Trial(NamedTuple):
    """A peer that is to do a job; its log and its state are in the folder."""

    peer: Peer
    variant: str
    job: str
    folder: Path

    @property
    def name(self) -> str:
        """What its topics and files are called."""
        return f"{self.peer.name}-{self.variant}-{self.job}".lower().replace(" ", "-")

    def run(self, topics: Topics, count: int, *, kill: bool) -> bool:
        """Do the job, say how it went, and give whether it went well."""
        # From a full minute to about now: Kafka refuses what is an hour ahead.
        start_ms = (time.time_ns() // 1_000_000 - count * model.STEP_MS) // 60_000 * 60_000
        table, records = model.accounts(start_ms - 1), model.inputs(self.job, count, start_ms)
        expected = records if topics.copies else model.expected(self.job, records, table)
        topics.fill_table(table)
        filling = threading.Thread(target=topics.fill_input, args=(records, KILL_RATE_PER_S if kill else None))
        filling.start()
        if not kill:
            filling.join()
        facts: dict[str, object] = {}
        with closing(Output(topics)) as output:
            process = self._start(topics)
            if kill:
                output.read_until(int(KILL_AT * len(expected)), process, GIVE_UP_S)
                process = self._kill_and_start(process, topics, output, facts)
            begun_s = time.monotonic()
            output.read_until(len(expected), process, GIVE_UP_S)
            filling.join()
            output.read_rest()
            if output.seen_s and not kill:
                facts["first after"] = f"{output.seen_s[0] - begun_s:.1f} s"
                facts["all after"] = f"{output.seen_s[-1] - begun_s:.1f} s"
            well = self._stop(process, facts)
            output.read_rest()
        facts["records"] = len(output.seen_s)
        found = findings(output.records(), expected)
        allowed = {} if self.peer.exactly_once(self.variant) or not kill else {"again": 0}
        return self._tell(found, facts, well and not any((found | allowed).values()))

    def _start(self, topics: Topics) -> subprocess.Popen[bytes]:
        run = Run(
            job=self.job,
            bootstrap_servers=topics.bootstrap_servers,
            registry=topics.registry,
            application=f"app-{self.name}",
            input=topics.input,
            output=topics.output,
            table=topics.table if self.job == "join" else None,
            state=self.folder / self.name,
        )
        with self._log.open("ab") as log:
            argv = self.peer.argv(run, self.variant)
            return subprocess.Popen(argv, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)

    def _kill_and_start(
        self, process: subprocess.Popen[bytes], topics: Topics, output: Output, facts: dict[str, object]
    ) -> subprocess.Popen[bytes]:
        process.kill()
        process.wait()
        killed_s = time.monotonic()
        process = self._start(topics)
        output.read()  # what was committed before
        output.read_until(len(output.seen_s) + 1, process, GIVE_UP_S)
        facts["output again after"] = f"{time.monotonic() - killed_s:.1f} s"
        return process

    def _stop(self, process: subprocess.Popen[bytes], facts: dict[str, object]) -> bool:
        if process.poll() is None:
            times = psutil.Process(process.pid).cpu_times()
            facts["CPU"] = f"{times.user + times.system:.1f} s"
        process.send_signal(signal.SIGTERM)
        stopping_s = time.monotonic()
        try:
            status: int | str = process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            status = "a kill"
        facts["ended with"] = f"{status} after {time.monotonic() - stopping_s:.1f} s"
        return status == 0

    def _tell(self, found: dict[str, int], facts: dict[str, object], good: bool) -> bool:
        told = ", ".join(f"{name} {value}" for name, value in [*found.items(), *facts.items()] if value != 0)
        print(f"{'good' if good else 'BAD '} {self.peer.name}, {self.variant}: {self.job}: {told}", flush=True)
        if not good:
            print("\n".join(self._log.read_text(errors="replace").splitlines()[-15:]), file=sys.stderr)
        return good

    @property
    def _log(self) -> Path:
        return self.folder / f"{self.name}.log"


def findings(output: list[Record], expected: list[Record]) -> dict[str, int]:
    """Count what is missing, was not expected or came again, and else the keys whose records are in another order."""
    found, wanted = Counter(map(repr, output)), Counter(map(repr, expected))
    counts = {
        "missing": (wanted - found).total(),
        "wrong": sum(count for each, count in found.items() if each not in wanted),
        "again": sum(max(0, found[each] - count) for each, count in wanted.items()),
    }
    if found == wanted:
        ours, theirs = _by_key(output), _by_key(expected)
        counts["keys out of order"] = sum(ours[key] != theirs[key] for key in theirs)
    return counts


def _by_key(records: list[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(record.key, []).append(record)
    return found


def trials(arguments: argparse.Namespace, folder: Path) -> Iterator[Trial]:
    """What is asked for and can be done here."""
    for peer in (PEERS[name] for name in arguments.peer or PEERS):
        if reason := peer.available():
            print(f"{peer.name} is not checked: {reason}", file=sys.stderr)
            continue
        for variant in peer.variants:
            if variant in (arguments.variant or peer.variants):
                yield from (Trial(peer, variant, job, folder) for job in arguments.job or peer.jobs)


def main() -> None:
    """Check all, or some."""
    parser = argparse.ArgumentParser(prog="make check-peers", description=main.__doc__)
    parser.add_argument("--peer", choices=PEERS, action="append", help="all by default, as the others")
    parser.add_argument("--variant", action="append")
    parser.add_argument("--job", choices=JOBS, action="append")
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--kill", action="store_true", help="kill each in the middle and start it again")
    parser.add_argument("--logs", type=Path, help="folder for logs and state, a temporary one by default")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary, KafkaProcess() as kafka:
        folder = arguments.logs or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            parser.error(f"{folder} is not empty: the state of another run would be taken for theirs")
        results = []
        with RegistryProcess(kafka.bootstrap_servers) as registry:
            for trial in trials(arguments, folder):
                copies = isinstance(trial.peer, Raw)
                topics = Topics(kafka.bootstrap_servers, registry.url, trial.name, trial.job, copies)
                results.append(trial.run(topics, arguments.records, kill=arguments.kill))
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
