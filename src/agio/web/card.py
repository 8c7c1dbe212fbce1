"""The test card of an account. Its number never leaves this file: topics and pages see a token and the last digits."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

# Numbers that begin like this belong to no real card.
TEST_BIN = "424242"


@dataclass(frozen=True, slots=True)
class Card:
    """What may be known of a card."""

    brand: str
    last4: str
    token: str

    def __str__(self) -> str:
        return f"{self.brand} {self.last4} {self.token}"

    @property
    def label(self) -> str:
        """The card in words for its holder."""
        return label(str(self))


@lru_cache(maxsize=10_000)
def card_of(account_id: str) -> Card:
    """Give the account's card, always the same one."""
    digest = hashlib.sha256(f"card of {account_id}".encode()).digest()
    number = with_check_digit(f"{TEST_BIN}{int.from_bytes(digest[:8]) % 10**9:09d}")
    return Card("visa", number[-4:], f"tok_{digest[8:20].hex()}")


def label(card: str) -> str:
    """Say in words for the holder what an event's `card` is, such as `Visa test card •••• 4242`."""
    brand, last4, *_ = [*card.split(" "), "", ""]
    return f"{brand.capitalize()} test card •••• {last4}"


def with_check_digit(digits: str) -> str:
    """Append the digit that makes a number valid (Luhn, ISO/IEC 7812-1)."""
    doubled = (2 * int(digit) for digit in digits[-1::-2])
    total = sum(value - 9 if value > 9 else value for value in doubled) + sum(map(int, digits[-2::-2]))
    return digits + str(-total % 10)
