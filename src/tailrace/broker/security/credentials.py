"""What is stored of a user's password: what SCRAM needs to check it, from which it cannot be told (RFC 5802)."""

from __future__ import annotations

import hashlib
import hmac

import msgspec

from tailrace.broker.security.config import Mechanism

ITERATIONS_MIN = 4096
ITERATIONS_MAX = 16384

SCRAM_TYPES = {1: Mechanism.SCRAM_SHA_256, 2: Mechanism.SCRAM_SHA_512}
"""SCRAM mechanisms by their number in Kafka's messages."""
SCRAM_NUMBERS = {mechanism: number for number, mechanism in SCRAM_TYPES.items()}
HASHES = {Mechanism.SCRAM_SHA_256: "sha256", Mechanism.SCRAM_SHA_512: "sha512"}


class ScramCredential(msgspec.Struct, array_like=True, frozen=True):
    """A user's credential for one SCRAM mechanism."""

    user: str
    mechanism: Mechanism
    salt: bytes
    stored_key: bytes
    server_key: bytes
    iterations: int


def digest(mechanism: Mechanism, data: bytes) -> bytes:
    """The mechanism's hash."""
    return hashlib.new(HASHES[mechanism], data).digest()


def keyed_digest(mechanism: Mechanism, key: bytes, data: bytes) -> bytes:
    """The mechanism's HMAC."""
    return hmac.digest(key, data, HASHES[mechanism])


def salted_password(mechanism: Mechanism, password: str, salt: bytes, iterations: int) -> bytes:
    """The password as clients send proof of it, not normalized, as in Kafka; takes milliseconds."""
    return hashlib.pbkdf2_hmac(HASHES[mechanism], password.encode(), salt, iterations)


def credential_from_salted(
    user: str, mechanism: Mechanism, salted: bytes, salt: bytes, iterations: int
) -> ScramCredential:
    """The credential for a salted password."""
    stored_key = digest(mechanism, keyed_digest(mechanism, salted, b"Client Key"))
    server_key = keyed_digest(mechanism, salted, b"Server Key")
    return ScramCredential(user, mechanism, salt, stored_key, server_key, iterations)


def credential(user: str, mechanism: Mechanism, password: str, salt: bytes, iterations: int) -> ScramCredential:
    """The credential for a password."""
    salted = salted_password(mechanism, password, salt, iterations)
    return credential_from_salted(user, mechanism, salted, salt, iterations)


def is_password(stored: ScramCredential, password: str) -> bool:
    """Whether a password is the one of a credential; takes milliseconds, and as long when it is not."""
    salted = salted_password(stored.mechanism, password, stored.salt, stored.iterations)
    given_key = digest(stored.mechanism, keyed_digest(stored.mechanism, salted, b"Client Key"))
    return hmac.compare_digest(given_key, stored.stored_key)
