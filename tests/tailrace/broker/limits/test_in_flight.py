"""Memory for requests: bounded, fair, and never a standstill."""

from collections import deque
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from tailrace.broker.limits.in_flight import InFlight

MAX = 10


@given(st.lists(st.tuples(st.integers(1, 15), st.booleans()), max_size=40))
def test_every_request_gets_in_in_its_turn(requests: list[tuple[int, bool]]) -> None:
    soon: deque[Callable[[], None]] = deque()
    in_flight = InFlight(MAX, soon.append)
    inside: deque[int] = deque()
    order: list[int] = []

    def enter(number: int) -> None:
        order.append(number)
        inside.append(requests[number][0])
        assert in_flight.bytes <= MAX or in_flight.bytes == requests[number][0]

    def leave() -> None:
        in_flight.give_back(inside.popleft())
        while soon:
            soon.popleft()()

    for number, (size, somebody_leaves) in enumerate(requests):
        if in_flight.take(size, lambda number=number: enter(number)):  # type: ignore[misc]
            enter(number)
        if somebody_leaves and inside:
            leave()
    while inside:
        leave()
    assert order == list(range(len(requests)))
    assert in_flight.bytes == 0
