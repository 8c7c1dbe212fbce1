"""What a handler gets besides the request, and what it gives back."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tailrace.broker.security.acls import CLUSTER_NAME, Operation, ResourceType
from tailrace.broker.security.authentication import Authentication
from tailrace.broker.security.authorizer import OPERATIONS_ON
from tailrace.wire.encoding import Parts

if TYPE_CHECKING:
    from tailrace.broker.broker import Broker


class CloseConnection(Exception):
    """Raised by a handler that must not answer; the connection is closed and the reason logged."""


Response = Mapping[str, Any]
"""A response with the field names of `kio`; see `tailrace.wire.encoding`."""

Reply = Response | Parts | None
"""A response, or one that is encoded already, or none at all (Produce with acks=0)."""

HandlerResult = Reply | Awaitable[Reply]


@dataclass(frozen=True, slots=True)
class Call:
    """One request's circumstances; connections are numbered in the order in which they were opened."""

    broker: Broker
    api_version: int
    correlation_id: int
    client_id: str
    client_host: str
    connection: int
    authentication: Authentication = field(default_factory=Authentication)

    def allows(self, operation: Operation, resource: ResourceType, name: str = CLUSTER_NAME) -> bool:
        """Whether the client may do something to a resource."""
        authorizer = self.broker.authorizer
        return authorizer is None or authorizer.allows(
            self.authentication.principal, self._address, operation, resource, name
        )

    def allows_somewhere(self, operation: Operation, resource: ResourceType) -> bool:
        """Whether there may be a resource of a type to which the client may do something."""
        authorizer = self.broker.authorizer
        return authorizer is None or authorizer.allows_somewhere(
            self.authentication.principal, self._address, operation, resource
        )

    def authorized_operations(self, resource: ResourceType, name: str = CLUSTER_NAME) -> int:
        """What the client may do to a resource, a bit for each operation (KIP-430)."""
        return sum(1 << operation for operation in OPERATIONS_ON[resource] if self.allows(operation, resource, name))

    @property
    def _address(self) -> str:
        return self.client_host.removeprefix("/")
