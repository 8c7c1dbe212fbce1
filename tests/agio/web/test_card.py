import uuid

from agio.web.card import card_of, label, with_check_digit


def is_valid(number: str) -> bool:
    """Luhn, the way it is taught: double every second digit from the right."""
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (1 + place % 2)
        total += value // 10 + value % 10
    return total % 10 == 0


def test_check_digit_is_luhn() -> None:
    assert with_check_digit("424242424242424") == "4242424242424242"
    assert with_check_digit("7992739871") == "79927398713"
    assert all(is_valid(with_check_digit(str(number))) for number in range(10_000, 10_500))


def test_an_account_always_has_the_same_card_and_another_one_has_another() -> None:
    account_ids = [str(uuid.UUID(int=number)) for number in range(100)]
    assert [card_of(one) for one in account_ids] == [card_of(one) for one in account_ids]
    assert len({card_of(one).token for one in account_ids}) == 100


def test_what_is_told_of_a_card_is_not_its_number() -> None:
    card = card_of(str(uuid.UUID(int=1)))
    assert sum(character.isdigit() for character in card.last4) == 4
    assert not any(part.isdigit() and len(part) > 4 for part in str(card).split(" "))
    assert card.label == f"Visa test card •••• {card.last4}"
    assert label("") == " test card •••• "
