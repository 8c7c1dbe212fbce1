"""Health: whether the process lives, and whether it can serve, for whoever starts and watches it."""

import asyncio
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from agio.web.errors import Code, ErrorBody, error_response
from agio.web.feed import Feed
from agio.web.log import Log
from tailrace.registry.client import RegistryClient
from tailrace.registry.errors import RegistryError

TIMEOUT_S = 1.0

router = APIRouter(prefix="/health", tags=["health"])


class LiveBody(BaseModel):
    """The process lives."""

    status: Literal["live"] = "live"


class ReadyBody(BaseModel):
    """The service can serve."""

    status: Literal["ready"] = "ready"


@router.get("/live", summary="Whether the process lives")
async def live() -> LiveBody:
    """Say that the process answers."""
    return LiveBody()


@router.get(
    "/ready",
    summary="Whether the service can serve",
    response_model=ReadyBody,
    responses={503: {"model": ErrorBody, "description": "`starting`; the message names what is missing."}},
)
async def ready(request: Request) -> ReadyBody | JSONResponse:
    """Say whether the view is complete and the broker and the registry answer, or what is missing."""
    state = request.app.state
    feed: Feed = state.feed
    if feed.waits_for or state.exchange is None:
        return error_response(Code.STARTING, f"waiting for: {feed.waits_for or 'the view'}")
    missing = await asyncio.to_thread(_unreachable, state.log, state.registry)
    if missing:
        return error_response(Code.STARTING, f"waiting for: {', '.join(missing)}")
    return ReadyBody()


def _unreachable(log: Log, registry: RegistryClient) -> list[str]:
    missing = [] if log.reaches_broker(TIMEOUT_S) else ["the broker"]
    try:
        registry.wait_ready(timeout_s=0)
    except RegistryError:
        missing.append("the schema registry")
    return missing
