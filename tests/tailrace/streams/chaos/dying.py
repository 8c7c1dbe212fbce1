"""An instance that kills itself at a step of a commit: before it, after it, or a moment after it has begun."""

import os
import signal
import threading
from itertools import count

from tailrace.client import TransactionalProducer
from tailrace.streams.outbox import Outbox
from tailrace.streams.state.rocks_backend import RocksBackend
from tailrace.streams.task import Task

# The steps as `tailrace.streams.runtime` numbers them, each with the call that does it.
STEPS = {
    "1 begin": (TransactionalProducer, "begin"),
    "2 outputs": (Outbox, "send"),
    "3 changes of state": (Task, "flush"),
    "4 offsets": (TransactionalProducer, "send_offsets"),
    "5 commit": (TransactionalProducer, "commit"),
    "6 state in memory": (Task, "commit"),
    "7 state on disk": (RocksBackend, "write"),
}
MOMENTS = ["before", "during", "after"]


def die_at(step, moment, call, delay_ms):
    """Prepare the death: at the given call of a step, counted from 1. `delay_ms`: how long "during" is after before."""
    owner, name = STEPS[step]
    original, calls = getattr(owner, name), count(1)

    def dying(self, *args, **options):
        is_time = next(calls) == int(call)
        if is_time and moment == "before":
            _die()
        if is_time and moment == "during":
            threading.Timer(float(delay_ms) / 1000, _die).start()
        result = original(self, *args, **options)
        if is_time and moment == "after":
            _die()
        return result

    setattr(owner, name, dying)


def _die():
    os.kill(os.getpid(), signal.SIGKILL)
