"""SaslHandshake (API key 17), versions 0-1. After version 0 tokens are not wrapped in SaslAuthenticate (KIP-152)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.broker.call import Call, Response

if TYPE_CHECKING:
    from kio.schema.sasl_handshake.v1.request import SaslHandshakeRequest


def handle(request: SaslHandshakeRequest, call: Call) -> Response:
    """Begin to find out who the client is, by the mechanism that it wants."""
    authentication = call.authentication
    error = authentication.choose(request.mechanism, bare_tokens=call.api_version == 0)
    return {"error_code": error, "mechanisms": authentication.mechanisms}
