"""Users with their credentials; changed by events only."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Iterator

from tailrace.broker.security.config import Mechanism
from tailrace.broker.security.credentials import ITERATIONS_MIN, SCRAM_NUMBERS, ScramCredential, digest


class Users:
    """Credentials by user and mechanism.

    Somebody who asks about a user that does not exist gets a made-up credential, the same each time, so that the answer
    does not tell which users there are.
    """

    def __init__(self, credentials: Iterable[ScramCredential] = ()) -> None:
        self._credentials = {(stored.user, stored.mechanism): stored for stored in credentials}
        self._secret = secrets.token_bytes(32)

    def __iter__(self) -> Iterator[ScramCredential]:
        return iter(self._credentials.values())

    def set(self, credential: ScramCredential) -> None:
        """Add a credential, or replace the user's one of that mechanism."""
        self._credentials[credential.user, credential.mechanism] = credential

    def delete(self, user: str, mechanism: Mechanism) -> None:
        """Remove a credential."""
        self._credentials.pop((user, mechanism), None)

    def get(self, user: str, mechanism: Mechanism) -> ScramCredential | None:
        """A user's credential, if there is one."""
        return self._credentials.get((user, mechanism))

    def of(self, user: str) -> list[ScramCredential]:
        """All credentials of a user."""
        return [stored for mechanism in SCRAM_NUMBERS if (stored := self.get(user, mechanism))]

    def pretended(self, user: str, mechanism: Mechanism) -> ScramCredential:
        """A credential that no password fits, as the user could have one."""
        stored = list(self._credentials.values())  # at once: passwords are checked in another thread
        iterations = sorted(each.iterations for each in stored if each.mechanism is mechanism) or [ITERATIONS_MIN]
        salt = hmac.digest(self._secret, user.encode(), "sha512")
        choice = int.from_bytes(salt[32:40], "big") % len(iterations)
        stored_key = bytes(len(digest(mechanism, b"")))
        return ScramCredential(user, mechanism, salt[:24], stored_key, salt[:32], iterations[choice])
