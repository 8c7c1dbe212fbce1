"""Keeping a task running."""

from threading import Event

from tailrace.connect.task import TaskThread
from tests.tailrace.connect.accounts import eventually


class FailingOnce:
    """Fails in its first run and waits to be stopped in the second."""

    trace: str | None = None

    def __init__(self) -> None:
        self.runs = 0

    def run(self, stop: Event) -> None:
        self.runs += 1
        if self.runs == 1:
            raise ValueError("broken")
        stop.wait()


def test_a_task_that_failed_is_restarted() -> None:
    """Its state says how it is, and why."""
    runner, stop = FailingOnce(), Event()
    task = TaskThread("t-0", lambda: runner)
    assert task.status() == {"state": "UNASSIGNED"}
    task.start(stop)
    status = eventually(lambda: (s := task.status())["state"] == "FAILED" and s)
    assert status["trace"].endswith("ValueError: broken\n")
    eventually(lambda: task.status() == {"state": "RUNNING"})
    runner.trace = "db is away"
    assert task.status() == {"state": "RUNNING", "trace": "db is away"}
    stop.set()
    assert task.join(60)
    assert (task.status(), runner.runs) == ({"state": "UNASSIGNED", "trace": "db is away"}, 2)


def test_a_task_that_cannot_even_be_made_is_tried_again() -> None:
    made: list[FailingOnce] = []

    def make() -> FailingOnce:
        made.append(FailingOnce())
        if len(made) == 1:
            raise RuntimeError("no such topic")
        made[-1].runs = 1
        return made[-1]

    task, stop = TaskThread("t-0", make), Event()
    task.start(stop)
    eventually(lambda: task.status()["state"] == "RUNNING")
    stop.set()
    assert task.join(60)
    assert len(made) == 2
