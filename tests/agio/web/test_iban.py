import pytest
from faker import Faker

from agio.web.iban import read_iban


@pytest.mark.parametrize("text", ["DE89370400440532013000", "de89 3704 0044 0532 0130 00", "GB82WEST12345698765432"])
def test_reads_an_iban_however_it_is_written(text: str) -> None:
    assert read_iban(text) == text.replace(" ", "").upper()


@pytest.mark.parametrize(
    "text", ["", "DE", "DE88370400440532013000", "DE8937040044053201300é", "8937040044053201300", "DE89" * 20]
)
def test_refuses_what_is_none(text: str) -> None:
    assert read_iban(text) is None


def test_reads_ibans_of_many_countries_and_finds_any_wrong_digit() -> None:
    for locale in ("de_DE", "fr_FR", "it_IT", "nl_NL", "en_GB", "pl_PL"):
        faker = Faker(locale)
        faker.seed_instance(1)
        for _ in range(20):
            iban = faker.iban()
            assert read_iban(iban) == iban
            wrong = iban[:-1] + str((int(iban[-1]) + 1) % 10)
            assert read_iban(wrong) is None
