"""DescribeClientQuotas (API key 48), versions 0-1 (KIP-546): there are none, but tools ask when they list users."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.security.acls import Operation, ResourceType

if TYPE_CHECKING:
    from kio.schema.describe_client_quotas.v1.request import DescribeClientQuotasRequest


def handle(request: DescribeClientQuotasRequest, call: Call) -> Response:
    """Answer that no quota is set."""
    if not call.allows(Operation.DESCRIBE_CONFIGS, ResourceType.CLUSTER):
        return {"error_code": ErrorCode.cluster_authorization_failed, "entries": None}
    return {"entries": []}
