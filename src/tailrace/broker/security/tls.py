"""TLS: the context of a listener, and the principal that a client's certificate names.

Certificates and keys are PEM files, as Kafka takes them with `ssl.keystore.type=PEM`: the keystore holds the private
key and the certificate with its chain, the truststore the authorities whose clients are trusted.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from pathlib import Path

from tailrace.broker.security.config import ClientAuth, InvalidSecurity, SecurityConfig
from tailrace.broker.security.principal import ANONYMOUS, user_principal

VERIFY = {
    ClientAuth.NONE: ssl.CERT_NONE,
    ClientAuth.REQUESTED: ssl.CERT_OPTIONAL,
    ClientAuth.REQUIRED: ssl.CERT_REQUIRED,
}

Attributes = Iterable[Iterable[tuple[str, str]]]
"""A distinguished name as `ssl` gives it: attributes in sets, the least special set first."""

# The types that RFC 2253 has short names for, as OpenSSL calls them.
SHORT_NAMES = {
    "commonName": "CN",
    "countryName": "C",
    "domainComponent": "DC",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "stateOrProvinceName": "ST",
    "streetAddress": "STREET",
    "userId": "UID",
}
EMAIL_OID = "1.2.840.113549.1.9.1"
IA5_STRING = 0x16


def server_context(config: SecurityConfig) -> ssl.SSLContext | None:
    """What TLS connections are made with, None for a listener without TLS. Raises InvalidSecurity."""
    if not config.security_protocol.uses_tls:
        return None
    if config.ssl_keystore_location is None:
        raise InvalidSecurity(
            f"security.protocol={config.security_protocol} needs ssl.keystore.location, a PEM file with the private "
            "key and the certificate of this broker"
        )
    if config.ssl_client_auth is not ClientAuth.NONE and config.ssl_truststore_location is None:
        raise InvalidSecurity(
            f"ssl.client.auth={config.ssl_client_auth} needs ssl.truststore.location, a PEM file with the certificates "
            "of those who sign clients' certificates"
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    _load_keystore(context, config.ssl_keystore_location, config.ssl_key_password or "")
    if config.ssl_truststore_location is not None:
        _load_truststore(context, config.ssl_truststore_location)
    context.verify_mode = VERIFY[config.ssl_client_auth]
    return context


def _load_keystore(context: ssl.SSLContext, location: Path, password: str) -> None:
    try:
        context.load_cert_chain(location, password=lambda: password)
    except OSError as error:
        raise InvalidSecurity(
            f"ssl.keystore.location={location} cannot be used: {error}; expected a PEM file with a private key, which "
            "ssl.key.password opens if it is encrypted, and its certificate"
        ) from error


def _load_truststore(context: ssl.SSLContext, location: Path) -> None:
    try:
        context.load_verify_locations(location)
    except OSError as error:
        raise InvalidSecurity(
            f"ssl.truststore.location={location} cannot be used: {error}; expected a PEM file with certificates"
        ) from error


def certificate_principal(connection: ssl.SSLObject | None) -> str:
    """The principal of a connection by its certificate: Kafka's default, the whole name; else ANONYMOUS."""
    certificate = connection.getpeercert() if connection is not None else None
    if not certificate:
        return ANONYMOUS
    subject: Attributes = certificate["subject"]  # type: ignore[assignment]  # typed for all fields at once
    return user_principal(distinguished_name(subject))


def distinguished_name(subject: Attributes) -> str:
    """A name as RFC 2253 and Java write it, most special attribute first: `CN=alice,OU=desk,O=Agio`.

    Types without a short name are written as OpenSSL calls them, but for the e-mail address, which Java writes as DER.
    """
    return ",".join("+".join(_attribute(*attribute) for attribute in group) for group in reversed(list(subject)))


def _attribute(kind: str, value: str) -> str:
    if kind == "emailAddress":
        content = value.encode()
        return f"{EMAIL_OID}=#" + (bytes((IA5_STRING, len(content))) + content).hex()
    return f"{SHORT_NAMES.get(kind, kind)}={_escape(value)}"


def _escape(value: str) -> str:
    escaped = "".join("\\" + char if char in ',+"\\<>;' else char for char in value)
    if escaped.endswith(" "):
        escaped = escaped[:-1] + "\\ "
    return "\\" + escaped if escaped.startswith((" ", "#")) else escaped
