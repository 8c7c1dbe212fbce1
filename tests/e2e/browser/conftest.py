"""A real browser in front of a real web service; the other services are played by `Others`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.agio.web.conftest import Platform, platform, web
from tests.agio.web.running import WebService
from tests.e2e.chromium import running_chromium

__all__ = ["platform", "web"]

ARTIFACTS = Path(__file__).parents[3] / "artifacts"
OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with running_chromium() as browser:
        yield browser


@pytest.fixture
def open_page(chromium: Browser, web: WebService, platform: Platform) -> Iterator[OpenPage]:
    """Opens the page in a browser of its own; whatever its console complains about fails the test."""
    complaints: list[str] = []
    contexts = []

    def open_page(*, expects_errors: bool = False, **options: Any) -> Page:
        options.setdefault("viewport", {"width": 1280, "height": 900})
        context = chromium.new_context(base_url=web.url, locale="en-GB", **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if not expects_errors:
            page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
        page.goto("/")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def screenshot() -> Callable[[Page, str], None]:
    """Keeps a picture of a page in `artifacts/`."""

    def screenshot(page: Page, name: str) -> None:
        ARTIFACTS.mkdir(exist_ok=True)
        page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True)

    return screenshot
