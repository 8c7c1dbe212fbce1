"""Requests and their outcomes, brought together in one pass and little memory."""

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush, merge

from agio.audit.history import Entry, Outcome, Read
from agio.contracts.events import TransactionRequest

# Outcomes further out of place than this many are taken for outcomes without request.
WINDOW = 1000


def join(
    requests: Iterable[Read[TransactionRequest]], *outcomes: Iterable[Entry[Outcome]]
) -> Iterator[tuple[Read[TransactionRequest] | None, list[Entry[Outcome]]]]:
    """Yield each request with all outcomes that name it, and None with each outcome that names none.

    All are of one partition and in the order of offsets.
    """
    answers = merge(*map(_by_request, outcomes), key=request_offset)
    answer = next(answers, None)
    for request in requests:
        while answer is not None and request_offset(answer) < request.offset:
            yield None, [answer]
            answer = next(answers, None)
        found = []
        while answer is not None and request_offset(answer) == request.offset:
            found.append(answer)
            answer = next(answers, None)
        yield request, found
    while answer is not None:
        yield None, [answer]
        answer = next(answers, None)


def request_offset(entry: Entry[Outcome]) -> int:
    """Offset of the request that an outcome names."""
    return entry.value.request.offset


def _by_request(outcomes: Iterable[Entry[Outcome]]) -> Iterator[Entry[Outcome]]:
    """Sort by request within a window, so that one misplaced outcome does not hide those after it."""
    window: list[tuple[int, int, Entry[Outcome]]] = []
    for entry in outcomes:
        heappush(window, (request_offset(entry), entry.offset, entry))
        if len(window) > WINDOW:
            yield heappop(window)[2]
    while window:
        yield heappop(window)[2]
