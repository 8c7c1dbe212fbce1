"""What the routes work with, once the view is complete; until then there is none, and they answer that we start."""

import asyncio
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Annotated
from weakref import WeakValueDictionary

from fastapi import Depends
from starlette.requests import Request

from agio.web.errors import Code, Refusal
from agio.web.limits import Limits
from agio.web.live import Live
from agio.web.log import Log
from agio.web.passwords import Passwords
from agio.web.view.queries import Queries


@dataclass
class Exchange:
    """The parts of a web service that is open. `turns`: a lock for each transaction id that is being submitted."""

    log: Log
    live: Live
    view: Queries
    limits: Limits
    passwords: Passwords
    turns: MutableMapping[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)


async def opened(request: Request) -> Exchange:
    """Give the exchange of this request. Raises Refusal while the service starts."""
    exchange: Exchange | None = request.app.state.exchange
    if exchange is None:
        raise Refusal(Code.STARTING, "the exchange is starting; try again in a moment", {"Retry-After": "1"})
    return exchange


Opened = Annotated[Exchange, Depends(opened)]
