"""SASL SCRAM (RFC 5802, RFC 7677): the client proves that it knows the password, and we that we know its credential.

    client: n,,n=user,r=CNONCE
    server: r=CNONCE SNONCE,s=SALT,i=ITERATIONS
    client: c=biws,r=CNONCE SNONCE,p=PROOF
    server: v=SIGNATURE

There is no channel binding, as in Kafka. A name that we do not know is rejected at the end, like a wrong password.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from typing import NamedTuple

from tailrace.broker.security.config import Mechanism
from tailrace.broker.security.credentials import ScramCredential, digest, keyed_digest
from tailrace.broker.security.exchange import Rejected, Step
from tailrace.broker.security.users import Users

# Values are anything but commas and NUL; the nonce is printable. Extensions after the nonce are ignored, but for "m",
# which means that they must not be (RFC 5802, 5.1).
CLIENT_FIRST = re.compile(
    r"(?P<gs2>[ny],(?:a=(?P<identity>[^,\0]+))?,)"
    r"(?P<bare>n=(?P<name>[^,\0]+),r=(?P<nonce>[!-+\--~]+)(?:,[A-Za-z]=[^,\0]*)*)"
)
CLIENT_FINAL = re.compile(
    r"(?P<without_proof>c=(?P<binding>[A-Za-z0-9+/=]+),r=(?P<nonce>[!-+\--~]+)(?:,[A-Za-z]=[^,\0]*)*?)"
    r",p=(?P<proof>[A-Za-z0-9+/=]+)"
)
ESCAPE = re.compile(r"=(2C|3D)?")


class Asked(NamedTuple):
    """What was said so far."""

    credential: ScramCredential
    gs2: str
    nonce: str
    messages: str


class ScramExchange:
    """One attempt; `nonce` is our part of the nonce."""

    def __init__(self, mechanism: Mechanism, users: Users, nonce: str) -> None:
        self._mechanism = mechanism
        self._users = users
        self._nonce = nonce
        self._asked: Asked | None = None

    def step(self, token: bytes) -> Step:
        """Answer the client's first or final message. Raises Rejected."""
        try:
            message = token.decode()
        except UnicodeDecodeError:
            raise Rejected("a message of SCRAM must be UTF-8") from None
        return self._first(message) if self._asked is None else self._final(message, self._asked)

    def _first(self, message: str) -> Step:
        found = CLIENT_FIRST.fullmatch(message)
        if found is None:
            raise Rejected("the first message must be like 'n,,n=user,r=nonce'; channel binding is not supported")
        if ",m=" in found["bare"]:
            raise Rejected("the first message has an extension that is not known")
        user = _unescape(found["name"])
        if found["identity"] is not None and _unescape(found["identity"]) != user:
            raise Rejected(f"{user!r} must not act for somebody else")
        credential = self._users.get(user, self._mechanism) or self._users.pretended(user, self._mechanism)
        nonce = found["nonce"] + self._nonce
        answer = f"r={nonce},s={_base64(credential.salt)},i={credential.iterations}"
        self._asked = Asked(credential, found["gs2"], nonce, f"{found['bare']},{answer}")
        return Step(answer.encode())

    def _final(self, message: str, asked: Asked) -> Step:
        found = CLIENT_FINAL.fullmatch(message)
        if found is None:
            raise Rejected("the final message must be like 'c=biws,r=nonce,p=proof'")
        if found["nonce"] != asked.nonce or _decoded(found["binding"]) != asked.gs2.encode():
            raise Rejected("the final message does not belong to the first")
        credential, said = asked.credential, f"{asked.messages},{found['without_proof']}".encode()
        signature = keyed_digest(self._mechanism, credential.stored_key, said)
        proof = _decoded(found["proof"])
        client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=False))
        if len(proof) != len(signature) or not hmac.compare_digest(
            digest(self._mechanism, client_key), credential.stored_key
        ):
            raise Rejected(f"wrong name or password for {credential.user!r}")
        ours = keyed_digest(self._mechanism, credential.server_key, said)
        return Step(f"v={_base64(ours)}".encode(), credential.user)


def _unescape(name: str) -> str:
    """A name as it was before commas and equal signs were escaped. Raises Rejected."""

    def replace(escape: re.Match[str]) -> str:
        if escape[1] is None:
            raise Rejected("a name has an equal sign that is not escaped")
        return "," if escape[1] == "2C" else "="

    return ESCAPE.sub(replace, name)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise Rejected("a part of the final message is not base64") from None
