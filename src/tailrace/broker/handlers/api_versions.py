"""ApiVersions (API key 18), versions 0-4.

A version that is too new is answered in version 0 with UNSUPPORTED_VERSION, so that the client can ask again (KIP-511).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response

if TYPE_CHECKING:
    from kio.schema.api_versions.v4.request import ApiVersionsRequest

SOFTWARE = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?")  # names and versions (KIP-511)


def handle(request: ApiVersionsRequest, call: Call) -> Response:
    """Tell the table of `tailrace.broker.dispatch`."""
    from tailrace.broker.dispatch import supported_versions  # the table contains this module

    if call.api_version >= 3:
        software = request.client_software_name, request.client_software_version
        if not all(SOFTWARE.fullmatch(text) for text in software):
            return {"error_code": ErrorCode.invalid_request}
    return {"api_keys": supported_versions()}
