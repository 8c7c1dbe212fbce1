"""What people do with the page, done in a browser."""

import re
import secrets
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.agio.web.conftest import Platform
from tests.agio.web.running import PASSWORD
from tests.e2e.browser.conftest import OpenPage

pytestmark = pytest.mark.browser

Screenshot = Callable[[Page, str], None]
PHONE = {"viewport": {"width": 390, "height": 844}}
DARK = {"color_scheme": "dark"}


def sign_up(page: Page, home_currency: str = "EUR") -> str:
    username = f"user-{secrets.token_hex(6)}"
    page.get_by_label("Your name").fill("Ada Lovelace")
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Home currency").select_option(home_currency)
    page.get_by_role("button", name="Open account").click()
    expect(page.get_by_test_id("who")).to_have_text("Ada Lovelace")
    expect(page.get_by_test_id("deposit-submit")).to_be_enabled()
    return username


def deposit(page: Page, amount: str, currency: str) -> None:
    page.get_by_role("tab", name="Deposit").click()
    page.get_by_label("Amount: currency").select_option(currency)
    page.get_by_label("Amount", exact=True).fill(amount)
    page.get_by_test_id("deposit-submit").click()
    expect(page.get_by_label("Amount", exact=True)).to_have_value("")


def newest(page: Page) -> Locator:
    return page.get_by_test_id("transaction").first


def test_from_sign_up_to_withdrawal(open_page: OpenPage, platform: Platform, screenshot: Screenshot) -> None:
    platform.others.quote("EUR", "USD", "1.080000", "1.090000")
    page = open_page()
    expect(page.get_by_test_id("rate-EUR-USD")).to_contain_text("1.080000")
    screenshot(page, "welcome")
    sign_up(page)
    expect(page.get_by_test_id("connection")).to_have_text("Live")
    expect(page.get_by_test_id("card")).to_contain_text("Visa test card")

    deposit(page, "1250.50", "EUR")
    expect(page.get_by_test_id("balance-EUR")).to_contain_text("1,250.50")
    expect(page.get_by_test_id("total")).to_contain_text("1,250.50")
    expect(page.get_by_test_id("news")).to_have_text("Deposit of 1,250.50 EUR done")

    page.get_by_role("tab", name="Exchange").click()
    page.get_by_label("You sell", exact=True).fill("100")
    page.get_by_label("You get: currency").select_option("USD")
    expect(page.get_by_test_id("estimate")).to_have_text("108.00")
    expect(page.get_by_test_id("indicative-rate")).to_have_text("1 EUR = 1.080000 USD")
    screenshot(page, "exchange")
    page.get_by_test_id("exchange-submit").click()
    expect(page.get_by_test_id("balance-USD")).to_contain_text("108.00")
    expect(page.get_by_test_id("balance-EUR")).to_contain_text("1,150.50")
    expect(newest(page)).to_contain_text("1 EUR = 1.080000 USD")
    expect(newest(page)).to_contain_text("+108.00 USD")

    page.get_by_role("tab", name="Withdraw").click()
    page.get_by_test_id("withdraw-amount-max").click()
    page.get_by_test_id("test-iban").click()
    page.get_by_test_id("withdraw-submit").click()
    expect(newest(page).get_by_test_id("status")).to_have_text("Done")
    expect(newest(page)).to_contain_text("DE89 •••• 3000")
    expect(page.get_by_test_id("balance-EUR")).to_have_count(0)
    screenshot(page, "dashboard")


def test_a_wish_is_pending_until_it_is_decided(open_page: OpenPage, platform: Platform) -> None:
    page = open_page()
    sign_up(page)
    platform.others.holds_outcomes.set()
    try:
        deposit(page, "10.00", "EUR")
        expect(newest(page).get_by_test_id("status")).to_have_text("Pending")
    finally:
        platform.others.holds_outcomes.clear()
    expect(newest(page).get_by_test_id("status")).to_have_text("Done")


def test_a_rejection_says_why(open_page: OpenPage) -> None:
    page = open_page()
    sign_up(page)
    page.get_by_role("tab", name="Withdraw").click()
    page.get_by_label("Amount", exact=True).fill("5.00")
    page.get_by_test_id("test-iban").click()
    page.get_by_test_id("withdraw-submit").click()
    expect(newest(page).get_by_test_id("status")).to_have_text("Rejected")
    expect(newest(page).get_by_test_id("reason")).to_contain_text("does not cover")
    expect(page.get_by_test_id("news")).to_contain_text("rejected")


def test_the_total_moves_with_the_rates(open_page: OpenPage, platform: Platform) -> None:
    platform.others.quote("EUR", "USD", "1.100000", "1.100000")
    page = open_page()
    sign_up(page, "USD")
    deposit(page, "10.00", "EUR")
    expect(page.get_by_test_id("total")).to_contain_text("11.00")
    platform.others.quote("EUR", "USD", "1.200000", "1.200000")
    expect(page.get_by_test_id("total")).to_contain_text("12.00")
    expect(page.get_by_test_id("total").locator(".flash")).to_have_class(re.compile("up"))
    platform.others.quote("EUR", "USD", "1.100000", "1.100000")
    expect(page.get_by_test_id("total").locator(".flash")).to_have_class(re.compile("down"))
    expect(page.get_by_test_id("rate-EUR-USD").locator(".down")).to_have_count(1)


def test_what_is_typed_wrong_is_told_at_the_field(open_page: OpenPage) -> None:
    page = open_page()
    sign_up(page)
    page.get_by_label("Amount", exact=True).fill("1,000")
    page.get_by_label("Amount", exact=True).blur()
    expect(page.locator("#deposit-amount-hint")).to_contain_text("with a point")
    page.get_by_label("Amount", exact=True).fill("1.005")
    expect(page.locator("#deposit-amount-hint")).to_contain_text("at most 2 decimals")


def test_signing_out_and_in_again(open_page: OpenPage) -> None:
    page = open_page(expects_errors=True)  # the wrong password below is an error in the console too
    username = sign_up(page)
    deposit(page, "10.00", "EUR")
    expect(newest(page).get_by_test_id("status")).to_have_text("Done")
    page.get_by_test_id("sign-out").click()
    page.get_by_role("tab", name="Sign in").click()
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill("not the password")
    page.get_by_test_id("submit").click()
    expect(page.get_by_role("alert")).to_have_text("username or password is wrong")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_test_id("submit").click()
    expect(page.get_by_test_id("balance-EUR")).to_contain_text("10.00")
    page.reload()
    expect(page.get_by_test_id("transaction")).to_have_count(1)


def test_two_tabs_show_the_same(open_page: OpenPage) -> None:
    page = open_page()
    sign_up(page)
    other = page.context.new_page()
    other.goto("/")
    deposit(page, "3.00", "EUR")
    expect(newest(other).get_by_test_id("status")).to_have_text("Done")
    expect(other.get_by_test_id("balance-EUR")).to_contain_text("3.00")


def test_earlier_activity_is_a_click_away(open_page: OpenPage) -> None:
    page = open_page()
    sign_up(page)
    page.evaluate(
        """async () => {
            for (let n = 1; n <= 25; n++) await fetch("/api/deposits", {
                method: "POST", headers: {"Content-Type": "application/json"},
                body: JSON.stringify({amount: `${n}.00`, currency: "EUR"})})
        }"""
    )
    expect(page.get_by_test_id("balance-EUR")).to_contain_text("325.00")
    page.reload()
    expect(page.get_by_test_id("transaction")).to_have_count(20)
    page.get_by_test_id("more").click()
    expect(page.get_by_test_id("transaction")).to_have_count(25)
    expect(page.get_by_test_id("more")).to_have_count(0)


def test_the_keyboard_is_enough(open_page: OpenPage) -> None:
    page = open_page()
    sign_up(page)
    page.get_by_role("tab", name="Deposit").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Withdraw")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Tab")
    page.keyboard.type("7.00")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("balance-EUR")).to_contain_text("7.00")


@pytest.mark.parametrize(
    ("name", "options"),
    [("phone", PHONE), ("phone-dark", PHONE | DARK), ("dark", DARK), ("desktop", {})],
)
def test_it_fits_the_screen(
    open_page: OpenPage, platform: Platform, screenshot: Screenshot, name: str, options: dict[str, object]
) -> None:
    platform.others.quote("EUR", "USD", "1.0834", "1.0841")
    platform.others.quote("EUR", "JPY", "162.41", "162.57")
    page = open_page(**options)
    sign_up(page)
    deposit(page, "12500.00", "EUR")
    deposit(page, "250000", "JPY")
    expect(page.get_by_test_id("balance-JPY")).to_contain_text("250,000")
    page.get_by_role("tab", name="Exchange").click()
    page.get_by_label("You sell", exact=True).fill("250.25")
    screenshot(page, name)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_amounts_are_computed_exactly_and_as_the_ledger_does(open_page: OpenPage) -> None:
    """The page's arithmetic against Python's, which the ledger uses."""
    from agio.money import convert_down, currencies, price

    page = open_page()
    known = currencies()
    cases = [
        (sold, bought, amount, quote)
        for sold, bought in (("EUR", "USD"), ("BTC", "JPY"), ("JPY", "ETH"))
        for amount in (1, 7, 999_999_999_999_999_999)
        for quote in ("1.080000", "0.000001", "123456789.123456")
    ]
    expected = [str(convert_down(n, known[sold], known[bought], price(quote))) for sold, bought, n, quote in cases]
    found = page.evaluate(
        """async ([cases, exponents, folder]) => {
            const {convertDown, fraction} = await import(`${folder}/money.js`)
            return cases.map(([sold, bought, amount, quote]) => String(convertDown(
                BigInt(amount), {exponent: exponents[sold]}, {exponent: exponents[bought]}, fraction(quote))))
        }""",
        [
            [(sold, bought, str(amount), quote) for sold, bought, amount, quote in cases],
            {code: currency.exponent for code, currency in known.items()},
            static_folder(page),
        ],
    )
    assert found == expected


def test_amounts_are_read_exactly(open_page: OpenPage) -> None:
    cases = [
        ("12.5", 2, ["1250", "12.50"]),
        (" 12 ", 2, ["1200", "12.00"]),
        ("0.00000001", 8, ["1", "0.00000001"]),
        ("1234567", 0, ["1234567", "1,234,567"]),
        ("99999999999999999999.99", 2, ["9999999999999999999999", "99,999,999,999,999,999,999.99"]),
        *((text, 2, None) for text in ("12.505", "1e3", "-1", ".5", "5.", "0", "0.00", "1,000", "", "١")),
        ("1.0", 0, None),
    ]
    page = open_page()
    found = page.evaluate(
        """async ([cases, folder]) => {
            const {parseAmount, formatAmount, grouped} = await import(`${folder}/money.js`)
            return cases.map(([text, exponent]) => {
                const {amount} = parseAmount(text, exponent)
                return amount === undefined ? null : [String(amount), grouped(formatAmount(amount, exponent))]
            })
        }""",
        [[(text, exponent) for text, exponent, _ in cases], static_folder(page)],
    )
    assert found == [expected for _, _, expected in cases]


def static_folder(page: Page) -> str:
    address = page.locator("script[type=module]").get_attribute("src")
    assert address is not None
    return address.rpartition("/")[0]
