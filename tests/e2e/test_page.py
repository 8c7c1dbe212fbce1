"""A customer in front of the whole exchange, in a real browser, on both engines."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.browser.test_page import deposit, newest, sign_up
from tests.e2e.chromium import running_chromium

pytestmark = pytest.mark.browser

ARTIFACTS = Path(__file__).parents[2] / "artifacts"


@pytest.fixture
def page(exchange):
    complaints = []
    with running_chromium() as browser:
        page = browser.new_page(base_url=exchange.url, viewport={"width": 1280, "height": 900}, locale="en-GB")
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
        page.goto("/")
        yield page
    assert complaints == []


def test_from_sign_up_to_withdrawal(page, request):
    sign_up(page)
    deposit(page, "12500.00", "EUR")
    expect(page.get_by_test_id("balance-EUR")).to_contain_text("12,500.00")
    deposit(page, "250000", "JPY")

    page.get_by_role("tab", name="Exchange").click()
    page.get_by_label("You sell", exact=True).fill("1500")
    page.get_by_label("You get: currency").select_option("USD")
    expect(page.get_by_test_id("estimate")).not_to_have_text("")
    page.get_by_test_id("exchange-submit").click()
    expect(newest(page).get_by_test_id("status")).to_have_text("Done")
    expect(page.get_by_test_id("balance-EUR")).to_contain_text("11,000.00")
    expect(page.get_by_test_id("balance-USD")).to_be_visible()

    page.get_by_role("tab", name="Withdraw").click()
    page.get_by_label("Amount", exact=True).fill("99999.00")
    page.get_by_test_id("test-iban").click()
    page.get_by_test_id("withdraw-submit").click()
    expect(newest(page).get_by_test_id("status")).to_have_text("Rejected")
    expect(newest(page).get_by_test_id("reason")).to_contain_text("does not cover")
    page.get_by_label("Amount", exact=True).fill("1000.00")
    page.get_by_test_id("test-iban").click()
    page.get_by_test_id("withdraw-submit").click()
    expect(newest(page).get_by_test_id("status")).to_have_text("Done")
    expect(page.get_by_test_id("balance-EUR")).to_contain_text("10,000.00")

    total = page.get_by_test_id("total").inner_text()
    expect(page.get_by_test_id("total")).not_to_have_text(total)  # it moves with the rates
    page.get_by_role("tab", name="Exchange").click()
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"exchange-{request.node.callspec.params['exchange']}.png")
