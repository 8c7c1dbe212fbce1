"""SaslAuthenticate (API key 36), versions 0-2. Version 1 tells how long the client is believed (KIP-368)."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import structlog
from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.security.authentication import Authentication
from tailrace.broker.security.config import Mechanism, SecurityConfig
from tailrace.broker.security.exchange import Rejected

if TYPE_CHECKING:
    from kio.schema.sasl_authenticate.v2.request import SaslAuthenticateRequest

log = structlog.get_logger()

# Passwords take milliseconds each; who guesses them slows down logins, and nothing else.
_password_thread = ThreadPoolExecutor(1, "passwords")


async def handle(request: SaslAuthenticateRequest, call: Call) -> Response:
    """Take a token of the client, and answer with ours."""
    authentication = call.authentication
    if authentication.is_open:
        message = "SaslAuthenticate must follow SaslHandshake"
        return {"error_code": ErrorCode.illegal_sasl_state, "error_message": message}
    config = call.broker.config
    token = await take_token(authentication, request.auth_bytes, config)
    if token is None:
        message = f"Authentication failed: invalid credentials with SASL mechanism {authentication.mechanism}"
        return {"error_code": ErrorCode.sasl_authentication_failed, "error_message": message}
    lifetime_ms = config.connections_max_reauth_ms if authentication.is_open else 0
    return {"auth_bytes": token, "session_lifetime": lifetime_ms}


async def take_token(authentication: Authentication, token: bytes, config: SecurityConfig) -> bytes | None:
    """Take a token and give ours; None, after a while, when the client did not prove who it is."""
    loop = asyncio.get_running_loop()
    try:
        if authentication.mechanism is Mechanism.PLAIN:
            answer = await loop.run_in_executor(_password_thread, authentication.step, token)
        else:
            answer = authentication.step(token)
    except Rejected as rejected:
        log.warning("a login failed", mechanism=authentication.mechanism, reason=str(rejected))
        await asyncio.sleep(config.connection_failed_authentication_delay_ms / 1000)
        return None
    if authentication.is_open and config.connections_max_reauth_ms:
        authentication.expires_at = loop.time() + config.connections_max_reauth_ms / 1000
    return answer
