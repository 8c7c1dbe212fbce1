"""The questions that the API asks the tables."""

import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

import msgspec


class SignUpRow(NamedTuple):
    """Who owns a username."""

    account_id: str
    username: str
    name: str
    home_currency: str
    password_hash: str
    signed_up_at: int


class AccountRow(NamedTuple):
    """An account; `status` is None until the account database has it."""

    account_id: str
    username: str
    name: str
    home_currency: str
    signed_up_at: int
    status: str | None


class TransactionRow(NamedTuple):
    """A request and its outcome; amounts as asked are text, amounts as booked are minor units."""

    account_id: str
    transaction_id: str
    position: int
    type: str
    currency: str | None
    buy_currency: str | None
    amount: str | None
    min_buy_amount: str | None
    card: str | None
    iban: str | None
    requested_at: int | None
    status: str
    reason: str | None
    message: str | None
    sequence: int | None
    booked: int | None
    bought: int | None
    rate_pair: str | None
    rate_bid: str | None
    rate_ask: str | None
    rate_as_of: int | None
    decided_at: int | None


class WalletRow(NamedTuple):
    """A wallet's snapshot: minor units by currency."""

    home_currency: str
    sequence: int
    balances: dict[str, int]


_ACCOUNT = """
SELECT s.account_id, s.username, coalesce(a.name, s.name), coalesce(a.home_currency, s.home_currency), s.signed_up_at,
       a.status
FROM sign_ups s LEFT JOIN accounts a USING (account_id)
"""
_TRANSACTION = f"SELECT {', '.join(TransactionRow._fields)} FROM transactions"


class Queries:
    """Reads the tables beside their writer; belongs to the thread that made it."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA query_only = ON")

    def sign_up(self, username: str) -> SignUpRow | None:
        """Find who owns a username (lower case)."""
        columns = ", ".join(SignUpRow._fields)
        row = self._one(f"SELECT {columns} FROM sign_ups WHERE username = ?", username)
        return SignUpRow._make(row) if row else None

    def account(self, account_id: str) -> AccountRow | None:
        """Find an account that somebody signed up for."""
        row = self._one(f"{_ACCOUNT} WHERE s.account_id = ?", account_id)
        return AccountRow._make(row) if row else None

    def accounts_missing(self, signed_up_before: int) -> list[AccountRow]:
        """List the accounts that the account database does not have though they were asked for before a time."""
        statement = f"{_ACCOUNT} WHERE a.account_id IS NULL AND s.signed_up_at < ?"
        return [AccountRow._make(row) for row in self._connection.execute(statement, (signed_up_before,))]

    def session(self, token_hash: str, now: int) -> str | None:
        """Find the account of a session that has not expired."""
        row = self._one("SELECT account_id FROM sessions WHERE token_hash = ? AND expires_at > ?", token_hash, now)
        return row[0] if row else None

    def sessions_expired(self, now: int) -> list[str]:
        """List the token hashes of sessions that nobody ended."""
        return [
            row[0] for row in self._connection.execute("SELECT token_hash FROM sessions WHERE expires_at <= ?", (now,))
        ]

    def transaction(self, account_id: str, transaction_id: str) -> TransactionRow | None:
        """Find a transaction of an account."""
        row = self._one(f"{_TRANSACTION} WHERE account_id = ? AND transaction_id = ?", account_id, transaction_id)
        return TransactionRow._make(row) if row else None

    def transactions(self, account_id: str, limit: int, before: int | None = None) -> list[TransactionRow]:
        """List an account's transactions, the newest first, from a position (exclusive) backwards."""
        statement = f"{_TRANSACTION} WHERE account_id = ? AND position < ? ORDER BY position DESC LIMIT ?"
        rows = self._connection.execute(statement, (account_id, 2**62 if before is None else before, limit))
        return [TransactionRow._make(row) for row in rows]

    def wallet(self, account_id: str) -> WalletRow | None:
        """Find an account's wallet."""
        row = self._one("SELECT home_currency, sequence, balances FROM wallets WHERE account_id = ?", account_id)
        return WalletRow(row[0], row[1], msgspec.json.decode(row[2], type=dict[str, int])) if row else None

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _one(self, statement: str, *parameters: str | int) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._connection.execute(statement, parameters).fetchone()
        return row
