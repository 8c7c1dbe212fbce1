"""ApiVersions (API key 18), versions 0-4.

A version that is too new is answered in version 0 with UNSUPPORTED_VERSION, so that the client can ask again (KIP-511).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.broker.call import Call, Response

if TYPE_CHECKING:
    from kio.schema.api_versions.v4.request import ApiVersionsRequest


def handle(request: ApiVersionsRequest, call: Call) -> Response:
    """Tell the table of `tailrace.broker.dispatch`."""
    from tailrace.broker.dispatch import supported_versions  # the table contains this module

    return {"api_keys": supported_versions()}
