"""FindCoordinator (API key 10), versions 0-6. Version 4 asks for many keys at once (KIP-699)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response

if TYPE_CHECKING:
    from kio.schema.find_coordinator.v6.request import FindCoordinatorRequest

GROUP, TRANSACTION = 0, 1


def handle(request: FindCoordinatorRequest, call: Call) -> Response:
    """Name this broker, which coordinates everything."""
    if call.api_version >= 4:
        keys = request.coordinator_keys
        return {"coordinators": [{"key": key} | _find(request.key_type, call) for key in keys]}
    return _find(getattr(request, "key_type", GROUP), call)


def _find(key_type: int, call: Call) -> dict[str, Any]:
    if key_type not in (GROUP, TRANSACTION):
        return {
            "error_code": ErrorCode.invalid_request,
            "error_message": f"key type {key_type}, expected {GROUP} or {TRANSACTION}",
            "node_id": -1,
            "port": -1,
        }
    broker = call.broker
    return {"node_id": broker.config.node_id, "host": broker.advertised_host, "port": broker.port}
