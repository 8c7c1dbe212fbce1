"""What follows an exit, for every kind of exit."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.deploy.backoff import (
    Backoff,
    Ended,
    GiveUp,
    Leave,
    Restart,
    after_exit,
    describe,
    shell_status,
    stop_allowance_s,
)

BACKOFF = Backoff(first_s=0.2, limit_s=10, healthy_after_s=10)
STATUSES = [0, 1, 2, 126, 127, -9, -15]


def expected(ended: Ended, *, restart: bool, stopping: bool) -> Restart | Leave | GiveUp:
    """The rules, in their order, as the first that applies."""
    rules: list[tuple[bool, Restart | Leave | GiveUp]] = [
        (stopping, Leave()),
        (ended.status in {2, 126, 127} and ended.first_run and ended.uptime_s < 10, GiveUp(ended.status)),
        (restart and ended.uptime_s >= 10, Restart(0.2, 1)),
        (restart, Restart(BACKOFF.delay_s(ended.failures + 1), ended.failures + 1)),
        (ended.status == 0 or ended.was_ready, Leave()),
        (ended.status > 0, GiveUp(ended.status)),
        (True, GiveUp(128 - ended.status)),
    ]
    return next(result for holds, result in rules if holds)


def test_every_exit_is_decided_by_the_rules() -> None:
    booleans = (False, True)
    cases = product(STATUSES, (0.0, 9.9, 10.0, 100.0), (0, 1, 5), booleans, booleans, booleans, booleans)
    for status, uptime_s, failures, first_run, was_ready, restart, stopping in cases:
        ended = Ended(status, uptime_s, failures, first_run, was_ready)
        decision = after_exit(ended, restart=restart, stopping=stopping, backoff=BACKOFF)
        assert decision == expected(ended, restart=restart, stopping=stopping), (ended, restart, stopping)


@pytest.mark.parametrize(
    ("ended", "decision"),
    [
        (Ended(1, 0.1, 0, first_run=True, was_ready=False), Restart(0.2, 1)),
        (Ended(1, 0.1, 1, first_run=False, was_ready=True), Restart(0.4, 2)),
        (Ended(-9, 3600, 7, first_run=False, was_ready=True), Restart(0.2, 1)),
        (Ended(0, 3600, 0, first_run=True, was_ready=True), Restart(0.2, 1)),
        (Ended(2, 0.1, 0, first_run=True, was_ready=False), GiveUp(2)),
        (Ended(2, 0.1, 1, first_run=False, was_ready=True), Restart(0.4, 2)),
        (Ended(2, 60, 0, first_run=True, was_ready=True), Restart(0.2, 1)),
        (Ended(1, 0.1, 99, first_run=False, was_ready=True), Restart(10, 100)),
    ],
    ids=[
        "a crash is tried again",
        "a second one later",
        "health is forgiven",
        "a service that returns has failed too",
        "configuration error",
        "the same later may pass",
        "nor was it the configuration when it ran well",
        "no longer than the limit",
    ],
)
def test_a_process_meant_to_run_for_ever(ended: Ended, decision: Restart | GiveUp) -> None:
    assert after_exit(ended, restart=True, stopping=False, backoff=BACKOFF) == decision


@given(st.integers(1, 10_000))
def test_delays_grow_to_the_limit(failures: int) -> None:
    delay_s = BACKOFF.delay_s(failures)
    assert BACKOFF.delay_s(1) <= delay_s <= BACKOFF.delay_s(failures + 1) <= BACKOFF.limit_s


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_groups_that_use_up_their_allowance_stop_within_the_total(shares: list[float]) -> None:
    remaining_s = 4.5
    for position, share in enumerate(shares):
        allowance_s = stop_allowance_s(remaining_s, len(shares) - position)
        assert allowance_s > 0
        remaining_s -= allowance_s * share
    assert remaining_s >= -1e-9


def test_no_time_left_is_no_negative_allowance() -> None:
    assert stop_allowance_s(-0.1, 2) == 0


@pytest.mark.parametrize(
    ("status", "text", "shell"), [(0, "exit status 0", 0), (3, "exit status 3", 3), (-9, "SIGKILL", 137)]
)
def test_statuses_are_named(status: int, text: str, shell: int) -> None:
    assert (describe(status), shell_status(status)) == (text, shell)


def test_a_signal_without_a_name_is_numbered() -> None:
    assert describe(-63) == "signal 63"
