"""International bank account numbers (ISO 13616): their shape and check digits, not whether the account exists."""

import re

_SHAPE = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", re.ASCII)


def read_iban(text: str) -> str | None:
    """Give the IBAN without spaces and in capitals; None when the check digits or the shape are wrong."""
    iban = text.replace(" ", "").upper()
    if not _SHAPE.fullmatch(iban):
        return None
    digits = "".join(str(int(character, 36)) for character in iban[4:] + iban[:4])
    return iban if int(digits) % 97 == 1 else None
