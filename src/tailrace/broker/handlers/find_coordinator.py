"""FindCoordinator (API key 10), versions 0-6. Version 4 asks for many keys at once (KIP-699)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.security.acls import Operation, ResourceType

if TYPE_CHECKING:
    from kio.schema.find_coordinator.v6.request import FindCoordinatorRequest

GROUP, TRANSACTION = 0, 1


def handle(request: FindCoordinatorRequest, call: Call) -> Response:
    """Name this broker, which coordinates everything."""
    if call.api_version >= 4:
        keys = request.coordinator_keys
        return {"coordinators": [{"key": key} | _find(request.key_type, key, call) for key in keys]}
    older: Any = request
    return _find(getattr(request, "key_type", GROUP), older.key, call)


def _find(key_type: int, key: str, call: Call) -> dict[str, Any]:
    if key_type not in (GROUP, TRANSACTION):
        return _refused(ErrorCode.invalid_request, f"key type {key_type}, expected {GROUP} or {TRANSACTION}")
    if key_type == GROUP and not call.allows(Operation.DESCRIBE, ResourceType.GROUP, key):
        return _refused(ErrorCode.group_authorization_failed)
    if key_type == TRANSACTION and not call.allows(Operation.DESCRIBE, ResourceType.TRANSACTIONAL_ID, key):
        return _refused(ErrorCode.transactional_id_authorization_failed)
    broker = call.broker
    return {"node_id": broker.config.node_id, "host": broker.advertised_host, "port": broker.port}


def _refused(error: ErrorCode, message: str | None = None) -> dict[str, Any]:
    return {"error_code": error, "error_message": message, "node_id": -1, "port": -1}
