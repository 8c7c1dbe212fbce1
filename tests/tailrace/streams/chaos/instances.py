"""The instances of an application: started, killed, frozen, with or without what they had on disk."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from tailrace.deploy.orphan import die_with_parent
from tests.groups import make_quick
from tests.tailrace.streams.application import SESSION_TIMEOUT_MS

ROOT = Path(__file__).parents[4]


class Instances:
    """Processes by the name of their instance; `settings` are of StreamsConfig."""

    def __init__(self, bootstrap_servers, application, folder, **settings):
        self._where = [bootstrap_servers, application]
        self._settings = {"session_timeout_ms": SESSION_TIMEOUT_MS} | settings
        self._folder = folder
        self.running = {}
        make_quick(bootstrap_servers, application, SESSION_TIMEOUT_MS)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for name in list(self.running):
            self.kill(name)

    def start(self, name, *death, **settings):
        """`death`: the step at which it kills itself; see dying.py. `settings`: further ones of this life."""
        argv = [sys.executable, "-m", "tests.tailrace.streams.chaos.instance", *self._where]
        argv += [json.dumps(self._settings | settings), name]
        with (self._folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [*argv, str(self._folder / name), *death],
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent(),
            )

    def kill(self, name):
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def stop(self, name):
        process = self.running.pop(name)
        process.terminate()
        # One that had only just begun knows no clean end yet.
        assert process.wait(60) in (0, -signal.SIGTERM), self.log(name)

    def has_died(self, name):
        return self.running[name].poll() is not None

    def take(self, name):
        """Give the process of an instance that has died, which is none any more."""
        return self.running.pop(name)

    def freeze(self, name, seconds):
        self.running[name].send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.running[name].send_signal(signal.SIGCONT)

    def lose_disk(self, name):
        assert name not in self.running
        shutil.rmtree(self._folder / name, ignore_errors=True)

    def check(self):
        """None has ended by itself."""
        for name, process in self.running.items():
            assert process.poll() is None, f"instance {name} ended with status {process.returncode}:\n{self.log(name)}"

    def address(self, name):
        """Where an instance that was started with `listen` answers queries in its present life, or None."""
        found = re.findall(r"queries are answered +address=(\S+)", self._whole_log(name))
        return found[-1] if found else None

    def restored(self, name):
        """How many records all lives of an instance have restored, as they say."""
        return sum(map(int, re.findall(r"restored .*records=(\d+)", self._whole_log(name))))

    def stacks(self):
        """What the threads of all instances are at, and what they said before."""
        for process in self.running.values():
            process.send_signal(signal.SIGUSR1)
        time.sleep(2)
        return "\n".join(f"instance {name}:\n{self.log(name)}" for name in self.running)

    def log(self, name):
        return self._whole_log(name)[-5_000:]

    def _whole_log(self, name):
        return (self._folder / f"{name}.log").read_text()
