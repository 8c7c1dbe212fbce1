"""Moments as people write them."""

from datetime import UTC, datetime

from tailrace.commands.failure import CommandFailed


def parse_instant(text: str) -> int:
    """Milliseconds since 1970 UTC from such a number or from ISO 8601, which is UTC unless it names a zone.

    Raises CommandFailed.
    """
    if text.lstrip("-").isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CommandFailed(
            f"{text!r} is no timestamp; expected milliseconds since 1970 or ISO 8601 such as 2026-11-23T09:00:00Z"
        ) from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def show_instant(timestamp_ms: int) -> str:
    """A timestamp as ISO 8601 in UTC with milliseconds; as it is when no calendar has it."""
    try:
        moment = datetime.fromtimestamp(timestamp_ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return str(timestamp_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
