"""The parameters of a request, read and judged."""

from collections.abc import Collection, Mapping

from tailrace.streams.windows import LATEST


class BadParameter(Exception):
    """A parameter that is not understood, and what was expected."""


def check_names(given: Collection[str], known: Collection[str]) -> None:
    """Raise BadParameter for a parameter that there is not."""
    for name in given:
        if name not in known:
            raise BadParameter(f"there is no parameter {name!r} here; expected {', '.join(known) or 'none'}")


def number(given: Mapping[str, str], name: str, default: int, lowest: int, highest: int) -> int:
    """A whole number within bounds, inclusive. Raises BadParameter."""
    text = given.get(name)
    if text is None:
        return default
    # Longer ones are beyond all bounds, and Python does not read them.
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and lowest <= int(text) <= highest):
        raise BadParameter(f"{name}={text!r}: expected a whole number from {lowest} to {highest}")
    return int(text)


def span(given: Mapping[str, str]) -> tuple[int, int]:
    """The times `earliest` and `latest`, inclusive, in milliseconds since 1970. Raises BadParameter."""
    return number(given, "earliest", 0, 0, LATEST), number(given, "latest", LATEST, 0, LATEST)
