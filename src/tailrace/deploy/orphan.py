"""No child outlives a parent that was killed."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1  # prctl(2)


def die_with_parent(signum: int = signal.SIGKILL) -> Callable[[], None] | None:
    """Give a `preexec_fn` by which the kernel sends the child `signum` when its parent is gone; None outside Linux.

    The parent is, to the kernel, the thread that starts the child: start it from one that lives on.
    """
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # looked up before the fork, where little is allowed
    parent = os.getpid()

    def arm() -> None:
        prctl(PR_SET_PDEATHSIG, signum)
        if os.getppid() != parent:  # it went before we asked
            os.kill(os.getpid(), signum)

    return arm
