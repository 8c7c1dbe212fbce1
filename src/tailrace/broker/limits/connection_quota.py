"""How many connections there may be, in total and from one address."""

from __future__ import annotations

from collections import Counter


class ConnectionQuota:
    """Counts connections from their first moment to their last."""

    def __init__(self, max_connections: int, max_connections_per_ip: int) -> None:
        self._max_connections = max_connections
        self._max_connections_per_ip = max_connections_per_ip
        self._count = 0
        self._by_host: Counter[str] = Counter()

    def admit(self, host: str) -> str | None:
        """Count one more connection, or say why there must not be one."""
        if self._count >= self._max_connections:
            return f"there are {self._count} connections, max.connections={self._max_connections}"
        if self._by_host[host] >= self._max_connections_per_ip:
            return (
                f"there are {self._by_host[host]} connections from {host}, "
                f"max.connections.per.ip={self._max_connections_per_ip}"
            )
        self._count += 1
        self._by_host[host] += 1
        return None

    def leave(self, host: str) -> None:
        """A connection is gone."""
        self._count -= 1
        self._by_host[host] -= 1
        if not self._by_host[host]:
            del self._by_host[host]
