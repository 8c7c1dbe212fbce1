"""The route of metrics, beside those of tables."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from tailrace.metrics.exposition import CONTENT_TYPE
from tailrace.streams.metrics.metrics import Metrics


def metrics_routes(metrics: Metrics) -> list[BaseRoute]:
    """Make the route of an application's metrics."""

    async def text(_: Request) -> Response:
        # Not in the event loop, which answers queries meanwhile.
        return Response(await asyncio.to_thread(metrics.text), media_type=CONTENT_TYPE)

    return [Route("/metrics", text)]
