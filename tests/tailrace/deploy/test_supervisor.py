"""Supervision of real processes."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tailrace.deploy.backoff import Backoff
from tailrace.deploy.child import State
from tailrace.deploy.process import ProcessSpec
from tailrace.deploy.supervisor import Supervisor

FAST = Backoff(first_s=0.01, limit_s=0.05, healthy_after_s=10)
FOREVER = "trap 'exit 0' TERM; while :; do sleep 0.05; done"
STUBBORN = "trap '' TERM; while :; do sleep 0.05; done"


def shell(name: str, script: str, **options: Any) -> ProcessSpec:
    return ProcessSpec(name, ["sh", "-c", script], **options)


def holds(condition: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    async def probe() -> bool:
        return condition()

    return probe


def exists(path: Path) -> Callable[[], Awaitable[bool]]:
    return holds(path.exists)


def never() -> bool:
    return False


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def shown() -> list[str]:
    return []


@pytest.fixture
def supervise(tmp_path: Path, shown: list[str]) -> Callable[..., Supervisor]:
    def make(**options: Any) -> Supervisor:
        return Supervisor(tmp_path, show=shown.append, **{"backoff": FAST, **options})

    return make


def test_start_waits_until_all_are_ready(supervise: Callable[..., Supervisor], tmp_path: Path) -> None:
    async def scenario() -> None:
        async with supervise() as supervisor:
            slow = shell("slow", f"sleep 0.2; touch {tmp_path}/ready; {FOREVER}", ready=exists(tmp_path / "ready"))
            assert await supervisor.start([slow, shell("quick", FOREVER)])
            assert (tmp_path / "ready").exists()
            first, second = supervisor.status()
            assert (first.name, first.state, first.restarts) == ("slow", State.READY, 0)
            assert first.pid is not None
            assert alive(first.pid)
            assert first.rss_bytes > 0
            assert second.pid != first.pid
        assert not alive(first.pid)
        assert [status.state for status in supervisor.status()] == [State.ENDED, State.ENDED]

    asyncio.run(scenario())


def test_the_environment_is_added_to_ours(supervise: Callable[..., Supervisor], tmp_path: Path) -> None:
    async def scenario() -> None:
        async with supervise() as supervisor:
            await supervisor.start(
                [shell("greeter", "echo $GREETING from $HOME", env={"GREETING": "hello"}, restart=False)]
            )
            assert await supervisor.wait() == 0

    asyncio.run(scenario())
    assert (tmp_path / "logs" / "greeter.log").read_text() == f"hello from {os.environ['HOME']}\n"


def test_a_killed_process_is_started_again_and_told_of(supervise: Callable[..., Supervisor], shown: list[str]) -> None:
    async def scenario() -> None:
        async with supervise() as supervisor:
            await supervisor.start([shell("worker", f"echo INFO fine; {FOREVER}")])
            (before,) = supervisor.status()
            assert before.pid is not None
            os.kill(before.pid, signal.SIGKILL)
            await until(lambda: supervisor.status()[0].restarts == 1 and supervisor.status()[0].state is State.READY)
            assert supervisor.status()[0].pid != before.pid

    asyncio.run(scenario())
    (line,) = shown
    assert line.startswith("worker ended with SIGKILL after ")
    assert "starting it again in 0.01 s (log: " in line


def test_a_crash_shows_the_last_lines(supervise: Callable[..., Supervisor], shown: list[str]) -> None:
    async def scenario() -> None:
        async with supervise(backoff=Backoff(first_s=60, limit_s=60)) as supervisor:
            await supervisor.start(
                [shell("worker", "echo ERROR no; echo Traceback; printf '  KeyError: 7' >&2; exit 1")]
            )
            await until(lambda: supervisor.status()[0].state is State.BACKING_OFF)

    asyncio.run(scenario())
    assert shown[:3] == ["ERROR no", "Traceback", "  KeyError: 7"]
    assert "worker ended with exit status 1 after" in shown[3]
    assert len(shown) == 4


def test_stopping_does_not_wait_for_a_back_off(supervise: Callable[..., Supervisor]) -> None:
    async def scenario() -> None:
        async with supervise(backoff=Backoff(first_s=60, limit_s=60)) as supervisor:
            await supervisor.start([shell("worker", "exit 1")])
            await until(lambda: supervisor.status()[0].state is State.BACKING_OFF)

    started = time.monotonic()
    asyncio.run(scenario())
    assert time.monotonic() - started < 20


def test_a_configuration_error_stops_all_with_the_last_line(
    supervise: Callable[..., Supervisor], shown: list[str]
) -> None:
    async def scenario() -> int:
        async with supervise() as supervisor:
            specs = [
                shell("web", "echo port 8080 is taken >&2; exit 2", ready=holds(never)),
                shell("other", FOREVER),
            ]
            assert not await supervisor.start(specs)
            assert not await supervisor.start([shell("next", FOREVER)])
            return await supervisor.wait()

    assert asyncio.run(scenario()) == 2
    assert shown == ["web cannot run: port 8080 is taken"]


def test_a_command_that_is_not_there_stops_all(supervise: Callable[..., Supervisor], shown: list[str]) -> None:
    async def scenario() -> int:
        async with supervise() as supervisor:
            await supervisor.start([ProcessSpec("ghost", ["/nowhere/ghost"], ready=holds(never))])
            return await supervisor.wait()

    assert asyncio.run(scenario()) == 127
    assert shown == ["ghost cannot run: cannot run /nowhere/ghost: No such file or directory"]


def test_one_that_never_gets_ready_stops_all(supervise: Callable[..., Supervisor], shown: list[str]) -> None:
    async def scenario() -> int:
        async with supervise() as supervisor:
            spec = shell("mute", FOREVER, ready=holds(never), ready_timeout_s=0.1)
            assert not await supervisor.start([spec])
            return await supervisor.wait()

    assert asyncio.run(scenario()) == 1
    assert shown[0].startswith("mute is not ready after 0.1 s (log: ")


def test_a_probe_that_raises_stops_all(supervise: Callable[..., Supervisor], shown: list[str]) -> None:
    async def probe() -> bool:
        raise ZeroDivisionError

    async def scenario() -> int:
        async with supervise() as supervisor:
            assert not await supervisor.start([shell("web", FOREVER, ready=probe)])
            return await supervisor.wait()

    assert asyncio.run(scenario()) == 1
    assert shown == ["web cannot be watched, its readiness probe failed: ZeroDivisionError()"]


def test_groups_stop_in_descending_order(supervise: Callable[..., Supervisor], tmp_path: Path) -> None:
    def spec(name: str, group: int) -> ProcessSpec:
        trap = f"trap 'sleep 0.1; echo {name} >>{tmp_path}/order; exit' TERM; touch {tmp_path}/{name}"
        script = f"{trap}; while :; do sleep 0.02; done"
        return shell(name, script, stop_group=group, ready=exists(tmp_path / name))

    async def scenario() -> None:
        async with supervise() as supervisor:
            await supervisor.start([spec("broker", 0), spec("web", 2), spec("registry", 1)])

    asyncio.run(scenario())
    assert (tmp_path / "order").read_text().split() == ["web", "registry", "broker"]


def test_one_that_ignores_the_request_is_killed_in_time(
    supervise: Callable[..., Supervisor], shown: list[str], tmp_path: Path
) -> None:
    async def scenario() -> float:
        async with supervise(stop_timeout_s=0.6) as supervisor:
            stubborn = shell("stubborn", f"touch {tmp_path}/s; {STUBBORN}", ready=exists(tmp_path / "s"), stop_group=1)
            await supervisor.start([stubborn, shell("broker", FOREVER)])
            pids = [status.pid for status in supervisor.status()]
            stopping = time.monotonic()
        assert not any(pid and alive(pid) for pid in pids)
        return time.monotonic() - stopping

    assert asyncio.run(scenario()) < 5
    assert shown == ["stubborn did not end within 0.3 s; killing it"]


def test_what_a_process_leaves_behind_ends_with_it(supervise: Callable[..., Supervisor], tmp_path: Path) -> None:
    async def scenario() -> None:
        async with supervise() as supervisor:
            leaver = shell("leaver", f"sleep 600 & echo $! >{tmp_path}/pid", restart=False)
            await supervisor.start([leaver])
            assert await supervisor.wait() == 0
        left = int((tmp_path / "pid").read_text())
        await until(lambda: not alive(left))

    asyncio.run(scenario())


def test_two_of_one_name_are_refused(supervise: Callable[..., Supervisor]) -> None:
    async def scenario() -> None:
        async with supervise() as supervisor:
            await supervisor.start([shell("web", FOREVER), shell("web", FOREVER)])

    with pytest.raises(ValueError, match="two processes are named 'web'"):
        asyncio.run(scenario())


PROGRAM = """
import asyncio, sys
from pathlib import Path
from tailrace.deploy.process import ProcessSpec
from tailrace.deploy.supervisor import Supervisor

async def main():
    async with Supervisor(Path(sys.argv[1]), stop_timeout_s=float(sys.argv[3])) as supervisor:
        await supervisor.start([ProcessSpec("child", ["sh", "-c", sys.argv[2]])])
        print(supervisor.status()[0].pid, flush=True)
        return await supervisor.wait()

sys.exit(asyncio.run(main()))
"""


@pytest.fixture
def supervising_program(tmp_path: Path) -> Callable[[str, float], tuple[subprocess.Popen[str], int]]:
    """Starts a program that supervises a script; gives it and the script's pid."""

    def start(script: str, stop_timeout_s: float) -> tuple[subprocess.Popen[str], int]:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(tmp_path), script, str(stop_timeout_s)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        return process, int(process.stdout.readline())

    return start


Program = Callable[[str, float], tuple[subprocess.Popen[str], int]]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_all_in_an_orderly_way(supervising_program: Program, signum: signal.Signals) -> None:
    process, child = supervising_program(FOREVER, 30)
    process.send_signal(signum)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, f"{signum.name}: stopping; once more kills at once\n")
    assert not alive(child)


def test_a_second_signal_kills_at_once(supervising_program: Program, tmp_path: Path) -> None:
    process, child = supervising_program(STUBBORN, 600)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert process.stderr.readline().startswith("SIGINT: stopping")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert not alive(child)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_no_child_outlives_a_killed_supervisor(supervising_program: Program) -> None:
    process, child = supervising_program(STUBBORN, 5)
    assert alive(child)
    process.kill()
    process.communicate(timeout=60)
    asyncio.run(until(lambda: not alive(child)))
