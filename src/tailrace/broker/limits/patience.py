"""How long a client may let the broker wait: for who it is, for the rest of a request, for reading its replies."""

from __future__ import annotations

from tailrace.broker.limits.config import LimitsConfig


class Patience:
    """Times of one connection, in seconds of the event loop's clock."""

    def __init__(self, config: LimitsConfig, now: float) -> None:
        self._config = config
        self._opened_at = now
        self._heard_at = now
        # Since when a request is known to be incomplete.
        self._began_at: float | None = None
        self._unread_bytes = 0
        self._unread_since = now

    def heard(self, now: float, *, is_complete: bool) -> None:
        """Bytes came, and perhaps the end of a request with them."""
        self._heard_at = now
        if is_complete:
            self._began_at = None

    def hears_again(self, now: float) -> None:
        """The connection was not read for a while, which is not the client's fault."""
        self.heard(now, is_complete=True)

    def was_read(self, now: float) -> None:
        """The client read what waited for it."""
        self._unread_since = now

    def overdue(
        self, now: float, *, is_known: bool, is_receiving: bool, is_idle: bool, unread_bytes: int
    ) -> str | None:
        """Why the connection should be closed now; None when it should not."""
        config = self._config
        self._note(now, is_receiving=is_receiving, unread_bytes=unread_bytes)
        if not is_known and _ms_since(self._opened_at, now) > config.connection_authentication_timeout_ms:
            return f"nobody logged in within {config.connection_authentication_timeout_ms} ms"
        if self._began_at is not None and _ms_since(self._began_at, now) > config.socket_receive_timeout_ms:
            return f"a request was not complete after {config.socket_receive_timeout_ms} ms"
        if unread_bytes and _ms_since(self._unread_since, now) > config.socket_send_timeout_ms:
            return f"nothing of {unread_bytes:,} bytes was read for {config.socket_send_timeout_ms} ms"
        if is_idle and not is_receiving and _ms_since(self._heard_at, now) > config.connections_max_idle_ms:
            return f"idle for connections.max.idle.ms={config.connections_max_idle_ms}"
        return None

    def _note(self, now: float, *, is_receiving: bool, unread_bytes: int) -> None:
        if not is_receiving:
            self._began_at = None
        elif self._began_at is None:
            self._began_at = now
        if unread_bytes == 0 or unread_bytes < self._unread_bytes:
            self._unread_since = now
        self._unread_bytes = unread_bytes


def _ms_since(then: float, now: float) -> float:
    return (now - then) * 1000
