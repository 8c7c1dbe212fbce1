"""DescribeCluster (API key 60), versions 0-1 (KIP-700)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.handlers.metadata import cluster_operations

if TYPE_CHECKING:
    from kio.schema.describe_cluster.v1.request import DescribeClusterRequest

BROKERS, CONTROLLERS = 1, 2


def handle(request: DescribeClusterRequest, call: Call) -> Response:
    """Describe the cluster of one broker."""
    endpoint_type = getattr(request, "endpoint_type", BROKERS)
    if endpoint_type != BROKERS:
        is_known = endpoint_type == CONTROLLERS
        return {
            "error_code": ErrorCode.mismatched_endpoint_type if is_known else ErrorCode.unsupported_endpoint_type,
            "error_message": f"endpoint type {endpoint_type}, expected {BROKERS} (brokers)",
        }
    broker = call.broker
    described = {
        "cluster_id": broker.state.cluster_id,
        "controller_id": broker.config.node_id,
        "brokers": [{"broker_id": broker.config.node_id, "host": broker.advertised_host, "port": broker.port}],
    }
    if request.include_cluster_authorized_operations:
        described["cluster_authorized_operations"] = cluster_operations(call)
    return described
