"""The SASL exchange of one connection, as Kafka wraps it: SaslHandshake names the mechanism, then tokens follow.

    HANDSHAKE --SaslHandshake 1--> TOKENS -------+--last token--> OPEN --SaslHandshake--> TOKENS (KIP-368)
        |                                        |
        +-----SaslHandshake 0--> BARE_TOKENS ----+--wrong token-> FAILED

After SaslHandshake 0 tokens come in frames of their own, after version 1 in SaslAuthenticate (KIP-152). Whoever logs in
again must be the same as before, by the same mechanism.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from enum import Enum, auto

from kio.schema.errors import ErrorCode

from tailrace.broker.security.config import Mechanism
from tailrace.broker.security.exchange import Exchange, Rejected
from tailrace.broker.security.plain import PlainExchange
from tailrace.broker.security.principal import ANONYMOUS, user_principal
from tailrace.broker.security.scram import ScramExchange
from tailrace.broker.security.users import Users


class Stage(Enum):
    """What a connection may ask."""

    HANDSHAKE = auto()
    """Nobody is known: ApiVersions and SaslHandshake."""
    TOKENS = auto()
    """A mechanism is chosen: SaslAuthenticate."""
    BARE_TOKENS = auto()
    """A mechanism is chosen: tokens without a request around them."""
    OPEN = auto()
    """Somebody is known: everything."""
    FAILED = auto()
    """Nothing any more; the connection is about to be closed."""


ADMITTED = {
    Stage.HANDSHAKE: frozenset({"api_versions", "sasl_handshake"}),
    Stage.TOKENS: frozenset({"sasl_authenticate"}),
    Stage.BARE_TOKENS: frozenset[str](),
    Stage.FAILED: frozenset[str](),
}


class Authentication:
    """Who is at the other end of a connection, and how far they got with saying so.

    A connection that is never asked for a name is `OPEN` from the start, with no mechanisms.
    """

    def __init__(
        self,
        principal: str = ANONYMOUS,
        mechanisms: tuple[Mechanism, ...] = (),
        users: Users | None = None,
        nonce: Callable[[], str] = lambda: secrets.token_urlsafe(18),
    ) -> None:
        self.principal = principal
        self.stage = Stage.HANDSHAKE if mechanisms else Stage.OPEN
        self.mechanisms = mechanisms
        self.mechanism: Mechanism | None = None
        # The event loop's time until which the client is believed; None for ever.
        self.expires_at: float | None = None
        self._users = users or Users()
        self._nonce = nonce
        self._exchange: Exchange | None = None
        self._was_open = False

    @property
    def is_open(self) -> bool:
        """Whether the client may ask for everything: it is known, or nobody wants to know."""
        return self.stage is Stage.OPEN

    def admits(self, api: str) -> bool:
        """Whether a request may be answered now."""
        return self.is_open or api in ADMITTED[self.stage]

    def choose(self, mechanism: str, *, bare_tokens: bool) -> ErrorCode:
        """Begin the exchange with a mechanism, once more if somebody is known already."""
        if not self.mechanisms or self.stage not in (Stage.HANDSHAKE, Stage.OPEN):
            return ErrorCode.illegal_sasl_state
        self._was_open = self.stage is Stage.OPEN
        if mechanism not in self.mechanisms or (self._was_open and mechanism != self.mechanism):
            self.stage = Stage.FAILED
            return ErrorCode.unsupported_sasl_mechanism
        self.mechanism = Mechanism(mechanism)
        self._exchange = (
            PlainExchange(self._users)
            if self.mechanism is Mechanism.PLAIN
            else ScramExchange(self.mechanism, self._users, self._nonce())
        )
        self.stage = Stage.BARE_TOKENS if bare_tokens else Stage.TOKENS
        return ErrorCode.none

    def step(self, token: bytes) -> bytes:
        """Take the client's token and give ours; some take milliseconds. Raises Rejected when it was in vain."""
        assert self._exchange is not None, f"a token came in stage {self.stage}"
        try:
            answer = self._exchange.step(token)
            if answer.user is not None:
                self._open(user_principal(answer.user))
        except Rejected:
            self.stage = Stage.FAILED
            raise
        return answer.token

    def _open(self, principal: str) -> None:
        if self._was_open and principal != self.principal:
            raise Rejected(f"{self.principal} cannot become {principal} on the same connection")
        self.principal = principal
        self.stage = Stage.OPEN
        self._exchange = None
