"""What to do when a supervised process has ended: the decision alone, without clocks or processes."""

import signal
from dataclasses import dataclass

CONFIGURATION_ERRORS = frozenset({2, 126, 127})
"""Exit statuses that starting again cannot mend: 2 by our services' convention, the others as shells use them."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before a restart: `first_s`, doubling up to `limit_s`, forgotten after `healthy_after_s` up."""

    first_s: float = 0.2
    limit_s: float = 10.0
    healthy_after_s: float = 10.0

    def delay_s(self, failures: int) -> float:
        """Give the wait after so many consecutive failures, 1 being the first."""
        return min(self.first_s * 2.0 ** min(failures - 1, 64), self.limit_s)


@dataclass(frozen=True, slots=True)
class Ended:
    """How one run of a process ended; `status` is negative for a signal, `failures` counts those just before it."""

    status: int
    uptime_s: float
    failures: int
    first_run: bool
    was_ready: bool


@dataclass(frozen=True, slots=True)
class Restart:
    """Start it again after `delay_s`; `failures` now stands at this."""

    delay_s: float
    failures: int


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave it ended."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Stop everything: the system cannot run like this."""

    status: int


def after_exit(ended: Ended, *, restart: bool, stopping: bool, backoff: Backoff) -> Restart | Leave | GiveUp:
    """Decide what follows an exit; `restart` tells whether the process is meant to run for ever."""
    healthy = ended.uptime_s >= backoff.healthy_after_s
    if stopping:
        return Leave()
    if ended.first_run and not healthy and ended.status in CONFIGURATION_ERRORS:
        return GiveUp(ended.status)
    if restart:
        failures = 1 if healthy else ended.failures + 1
        return Restart(backoff.delay_s(failures), failures)
    if ended.status != 0 and not ended.was_ready:
        return GiveUp(shell_status(ended.status))
    return Leave()


def stop_allowance_s(remaining_s: float, groups_left: int) -> float:
    """Give how long a group may take to stop, so that a slow one leaves the later ones their share."""
    return max(remaining_s, 0.0) / groups_left


def describe(status: int) -> str:
    """Name an exit status for people."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def shell_status(status: int) -> int:
    """Give the status a shell reports: 128 plus the number of a signal."""
    return status if status >= 0 else 128 - status
