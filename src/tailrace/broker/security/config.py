"""Settings of TLS, SASL and ACLs, named as in Kafka's server.properties with dots as underscores."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class SecurityProtocol(StrEnum):
    """What clients have to set as `security.protocol`."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"

    @property
    def uses_tls(self) -> bool:
        """Whether connections are encrypted."""
        return self in (SecurityProtocol.SSL, SecurityProtocol.SASL_SSL)

    @property
    def uses_sasl(self) -> bool:
        """Whether clients log in with a name."""
        return self in (SecurityProtocol.SASL_PLAINTEXT, SecurityProtocol.SASL_SSL)


class ClientAuth(StrEnum):
    """Whether clients have to show a certificate."""

    NONE = "none"
    REQUESTED = "requested"
    REQUIRED = "required"


class Mechanism(StrEnum):
    """How a client proves who it is."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"


class InvalidSecurity(Exception):
    """Settings that do not go together, or files that they name and that cannot be used."""


@dataclass(frozen=True)
class SecurityConfig:
    """Without any of these, everybody who reaches the port may do everything; times in milliseconds.

    `super_users` are principals such as `User:admin`. `connections_max_reauth_ms` 0 lets a login last for ever.
    """

    security_protocol: SecurityProtocol = SecurityProtocol.PLAINTEXT
    ssl_keystore_location: Path | None = None
    ssl_key_password: str | None = field(default=None, repr=False)
    ssl_truststore_location: Path | None = None
    ssl_client_auth: ClientAuth = ClientAuth.NONE
    sasl_enabled_mechanisms: tuple[Mechanism, ...] = tuple(Mechanism)
    connections_max_reauth_ms: int = 0
    connection_failed_authentication_delay_ms: int = 100
    acls: bool = False
    super_users: tuple[str, ...] = ()
    allow_everyone_if_no_acl_found: bool = False
