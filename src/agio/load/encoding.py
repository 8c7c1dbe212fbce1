"""Requests from pieces encoded once, and outcomes read as far as needed.

The load shares its machine with what it measures, so it must cost little. An Avro record is the encoded fields one
after the other: the transaction id comes first, the time last, and what lies between is the same each time. Where an
outcome is not as short-cuts expect it, it is decoded in full.
"""

from typing import NamedTuple

from agio.contracts.events import Reason, RejectedTransaction, Transaction, TransactionRequest, TransactionType
from agio.contracts.topics import REJECTED_TRANSACTIONS, TRANSACTION_REQUESTS, TRANSACTIONS
from agio.load.customers import ACCOUNT_ID, TRANSACTION_ID
from tailrace.registry.client import Registry
from tailrace.registry.serde import AvroSerde

HEADER_SIZE = 5
ID_START = HEADER_SIZE + 1
ID_END = ID_START + len(TRANSACTION_ID)
ACCOUNT_END = ID_END + 1 + len(ACCOUNT_ID)


class RequestEncoder:
    """Encodes a request from three pieces: whose, what, and when."""

    def __init__(self, registry: Registry) -> None:
        self._serde = TRANSACTION_REQUESTS.serde(registry)
        sample = self._serde.encode(TransactionRequest(TRANSACTION_ID, ACCOUNT_ID, TransactionType.DEPOSIT, "", ""))
        self._start, self._account_length = sample[:ID_START], sample[ID_END : ID_END + 1]

    def account(self, account_id: str) -> bytes:
        """The piece that says whose; `account_id` is as long as a UUID."""
        if len(account_id) != len(ACCOUNT_ID):
            raise ValueError(f"account id {account_id!r} has {len(account_id)} characters, expected {len(ACCOUNT_ID)}")
        return self._account_length + account_id.encode()

    def wish(self, request: TransactionRequest) -> bytes:
        """The piece that says what; identities and time of `request` are placeholders."""
        return self._serde.encode(request)[ACCOUNT_END:-1]

    def time(self, now_ms: int) -> bytes:
        """The piece that says when: a zigzag varint."""
        value, encoded = now_ms << 1, bytearray()
        while value > 0x7F:
            encoded.append(value & 0x7F | 0x80)
            value >>= 7
        encoded.append(value)
        return bytes(encoded)

    def request(self, transaction_id: bytes, account: bytes, wish: bytes, time: bytes) -> bytes:
        """The whole record; `transaction_id` is 32 ASCII characters."""
        return self._start + transaction_id + account + wish + time


class Answer(NamedTuple):
    """What the load wants to know of an outcome."""

    transaction_id: str
    type: TransactionType
    reason: Reason | None


class OutcomeReader:
    """Reads the outcomes of one of the two topics."""

    def __init__(self, topic: str, registry: Registry) -> None:
        refusals = topic == REJECTED_TRANSACTIONS.topic
        self._serde: AvroSerde[Transaction] | AvroSerde[RejectedTransaction] = (
            REJECTED_TRANSACTIONS.serde(registry) if refusals else TRANSACTIONS.serde(registry)
        )
        self._types = tuple(TransactionType)
        self._reasons = tuple(Reason) if refusals else None
        header = b"\0" + self._serde.schema_id.to_bytes(4, "big")
        self._start = header + bytes([len(TRANSACTION_ID) << 1])
        self._account_length = bytes([len(ACCOUNT_ID) << 1])

    def read(self, data: bytes) -> Answer:
        """Give what a record's bytes say. Raises SerdeError when they cannot be read."""
        if data[:ID_START] != self._start or data[ID_END : ID_END + 1] != self._account_length:
            return self._decode(data)
        reason = None if self._reasons is None else self._reasons[data[ACCOUNT_END + 1] >> 1]
        return Answer(data[ID_START:ID_END].decode(), self._types[data[ACCOUNT_END] >> 1], reason)

    def _decode(self, data: bytes) -> Answer:
        outcome = self._serde.decode(data)
        reason = outcome.reason if isinstance(outcome, RejectedTransaction) else None
        return Answer(outcome.transaction_id, outcome.type, reason)
