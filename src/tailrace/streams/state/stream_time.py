"""Time as the records of a task tell it."""


class StreamTime:
    """The latest time that a task has seen, in milliseconds since 1970, or -1; it goes back only when undone."""

    __slots__ = ("committed", "now")

    def __init__(self) -> None:
        self.now = self.committed = -1

    def reach(self, time_ms: int) -> None:
        """Go on to a time, unless it has passed."""
        self.now = max(self.now, time_ms)

    def commit(self) -> None:
        """Keep where time is."""
        self.committed = self.now

    def rollback(self) -> None:
        """Go back to the last commit."""
        self.now = self.committed

    def encoded(self) -> str:
        """The time as metadata of committed offsets; empty if there is none."""
        return "" if self.now < 0 else str(self.now)


def decoded(metadata: str | None) -> int:
    """The time of committed offsets' metadata, or -1."""
    return int(metadata) if metadata and metadata.isdecimal() else -1
