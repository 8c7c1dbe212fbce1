import pytest
from starlette.datastructures import Headers

from agio.web.guard import is_cross_site


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),
        ({"sec-fetch-site": "same-origin"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "same-site"}, True),
        ({"sec-fetch-site": "cross-site"}, True),
        ({"sec-fetch-site": "cross-site", "origin": "http://agio.test", "host": "agio.test"}, True),
        ({"origin": "http://agio.test:8080", "host": "agio.test:8080"}, False),
        ({"origin": "http://agio.test:9090", "host": "agio.test:8080"}, True),
        ({"origin": "http://evil.test", "host": "agio.test"}, True),
        ({"origin": "null", "host": "agio.test"}, True),
        ({"origin": "http://evil.test"}, True),
    ],
)
def test_cross_site_requests_are_told_apart(headers: dict[str, str], expected: bool) -> None:
    assert is_cross_site(Headers(headers)) is expected
