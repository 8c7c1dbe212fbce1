"""What goes into each job and what has to come out: the jobs once more, in a few lines of plain Python."""

import json
import random
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from benchmarks.peers.arguments import FRAUD, OUTCOME, PAID, PAYMENT, REQUEST, WINDOW_MS

ACCOUNTS = 200
KEY_LENGTH = len("account-000000000")
STEP_MS = 4
"""From one record to the next, so that some thousands are in several windows."""

REPEATED = 0.1
"""The share of requests that come again."""

CONTRACTS: dict[str, tuple[str | None, str | None]] = {
    "fraud": (PAYMENT, PAYMENT),
    "ledger": (REQUEST, OUTCOME),
    "windows": (None, None),
    "join": (PAYMENT, PAID),
}
"""Of a job's input and output; None is bytes."""


class Record(NamedTuple):
    """A record of a topic, decoded."""

    key: str
    value: Any
    timestamp_ms: int


def accounts(start_ms: int) -> list[Record]:
    """The table of `join`; one account in ten is missing."""
    numbers = (number for number in range(ACCOUNTS) if number % 10)
    return [
        Record(_key(number), {"account_id": _key(number), "owner": f"owner {number}", "country": "CH"}, start_ms)
        for number in numbers
    ]


def inputs(job: str, count: int, start_ms: int) -> list[Record]:
    """The input of a job."""
    chance = random.Random(job)
    values = {"ledger": _requests, "windows": _clicks}.get(job, _payments)(chance, count)
    return [Record(key, value, start_ms + STEP_MS * index) for index, (key, value) in enumerate(values)]


def _key(number: int) -> str:
    return f"account-{number:09}"


def _payments(chance: random.Random, count: int) -> Iterator[tuple[str, Any]]:
    for index in range(count):
        key = _key(chance.randrange(ACCOUNTS))
        yield (
            key,
            {
                "payment_id": f"payment-{index}",
                "account_id": key,
                "amount": chance.randrange(100_000),
                "currency": chance.choice(["CHF", "EUR", "USD"]),
                "merchant": f"merchant {chance.randrange(1000)}",
                "fraud_probability": chance.random(),
            },
        )


def _requests(chance: random.Random, count: int) -> Iterator[tuple[str, Any]]:
    past: list[tuple[str, Any]] = []
    for index in range(count):
        if past and chance.random() < REPEATED:
            yield chance.choice(past)
            continue
        key = _key(chance.randrange(ACCOUNTS))
        kind = chance.choice(["deposit", "withdrawal"])
        value = {"request_id": f"r{index}", "account_id": key, "kind": kind, "amount": chance.randrange(1, 1000)}
        past.append((key, value))
        yield key, value


def _clicks(chance: random.Random, count: int) -> Iterator[tuple[str, Any]]:
    for _ in range(count):
        yield _key(chance.randrange(ACCOUNTS)), chance.randbytes(chance.randrange(1, 50))


def expected(job: str, records: list[Record], table: list[Record]) -> list[Record]:
    """What comes out of a job, in the order of the input."""
    owners = {record.key: record.value["owner"] for record in table}
    balances: dict[str, int] = defaultdict(int)
    sequences: dict[str, int] = defaultdict(int)
    counts: dict[tuple[str, int], int] = defaultdict(int)
    settled: set[str] = set()
    results: list[Record] = []
    for key, value, timestamp_ms in records:
        result: Any = None
        if job == "fraud" and value["fraud_probability"] > FRAUD:
            result = value
        elif job == "ledger" and value["request_id"] not in settled:
            settled.add(value["request_id"])
            after = balances[key] + (value["amount"] if value["kind"] == "deposit" else -value["amount"])
            accepted = after >= 0
            balances[key] = after if accepted else balances[key]
            sequences[key] += 1
            result = {
                "request_id": value["request_id"],
                "account_id": key,
                "accepted": accepted,
                "balance": balances[key],
                "sequence": sequences[key],
            }
        elif job == "windows":
            window = key, timestamp_ms // WINDOW_MS
            counts[window] += 1
            result = counts[window]
        elif job == "join" and key in owners:
            result = {"payment_id": value["payment_id"], "owner": owners[key], "amount": value["amount"]}
        if result is not None:
            results.append(Record(key, result, timestamp_ms))
    return results


def count_of(value: bytes) -> int:
    """A count as one of the libraries writes it: eight bytes, or a number in JSON, alone or as `value`."""
    if len(value) == 8 and value[0] == 0:
        return int.from_bytes(value)
    found = json.loads(value)
    return int(found["value"] if isinstance(found, dict) else found)
