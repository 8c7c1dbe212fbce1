"""What all servers that tests start have in common, tried on a small one."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import psutil
import pytest

from tailrace.testing.port import accepts, free_port, port_is_free
from tailrace.testing.server_process import ServerProcess

LISTEN = """
import signal, socket, subprocess, sys
from pathlib import Path
if sys.argv[2] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if sys.argv[2] == "broken":
    sys.exit("no disk to write to")
if sys.argv[2] != "childless":
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    Path("child").write_text(str(child.pid))
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while sys.argv[2] != "mute":
    server.accept()[0].close()
signal.pause()
"""


class Listener(ServerProcess):
    """Accepts connections; starts a child as real servers do."""

    name = "listener"
    behaviour: ClassVar[str] = "plain"

    def _prepare(self) -> None:
        (self.data_dir / "starts").open("a").write("started\n")

    def _argv(self) -> list[str]:
        return [sys.executable, "-c", LISTEN, str(self.port), self.behaviour]

    def _is_ready(self) -> bool:
        return accepts(self.port)


class Stubborn(Listener):
    behaviour = "stubborn"


class Childless(Listener):
    behaviour = "childless"


class Broken(Listener):
    behaviour = "broken"


class NeverReady(Listener):
    behaviour = "mute"
    start_timeout_s = 0.5

    def _is_ready(self) -> bool:
        return False


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    with Listener(tmp_path) as listener:
        yield listener


def alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_it_serves_once_started(listener: Listener) -> None:
    assert accepts(listener.port)
    assert not port_is_free(listener.port)


def test_a_kill_takes_the_children_too(listener: Listener) -> None:
    pid, child = listener.pid, int((listener.data_dir / "child").read_text())
    assert alive(child)
    listener.kill()
    assert not alive(pid)
    assert not alive(child)
    with pytest.raises(RuntimeError, match=f"listener on port {listener.port} does not run"):
        _ = listener.pid


def test_a_stop_leaves_no_children(listener: Listener) -> None:
    child = int((listener.data_dir / "child").read_text())
    listener.stop()
    assert not alive(child)


def test_a_restart_keeps_port_and_data(listener: Listener) -> None:
    pid, port = listener.pid, listener.port
    listener.restart()
    assert listener.pid != pid
    assert accepts(port)
    assert (listener.data_dir / "starts").read_text() == "started\n" * 2


def test_it_is_not_started_twice(listener: Listener) -> None:
    with pytest.raises(RuntimeError, match=f"already runs on port {listener.port} with pid {listener.pid}"):
        listener.start()


def test_ending_it_twice_is_no_error(listener: Listener) -> None:
    listener.stop()
    listener.stop()
    listener.kill()


def test_one_that_ignores_the_request_is_killed() -> None:
    with Stubborn() as stubborn:
        pid = stubborn.pid
        stubborn.stop(timeout_s=0.1)
        assert not alive(pid)


def test_one_that_ends_while_starting_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="listener ended with status 1 while starting:\nno disk to write to"):
        Broken(tmp_path).start()


def test_one_that_does_not_serve_in_time_is_ended(tmp_path: Path) -> None:
    server = NeverReady(tmp_path)
    with pytest.raises(RuntimeError, match=f"does not serve port {server.port} after 0.5 s"):
        server.start()
    assert port_is_free(server.port)


def test_a_temporary_directory_does_not_outlive_it() -> None:
    with Listener() as listener:
        assert (listener.data_dir / "server.log").exists()
    assert not listener.data_dir.exists()


PARENT = """
import signal
from tests.cluster.test_server_process import Childless
print(Childless().start().pid, flush=True)
signal.pause()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_it_dies_with_a_killed_parent() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert alive(pid)
    parent.send_signal(signal.SIGKILL)
    parent.communicate(timeout=60)
    deadline = time.monotonic() + 60
    while alive(pid):
        assert time.monotonic() < deadline, "the server outlived its parent"
        time.sleep(0.01)


def test_free_ports_lie_below_those_of_outgoing_connections() -> None:
    with socket.socket() as outgoing:
        outgoing.bind(("127.0.0.1", 0))
        assert free_port() < outgoing.getsockname()[1]
