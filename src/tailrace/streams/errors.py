"""What can be wrong with a topology, or with a record of it."""


class TopologyError(Exception):
    """A topology that cannot run, and why."""


class Unwritable(Exception):
    """A record that a step gave and that cannot be written; the cause is the exception behind it.

    `size`: bytes of key and value; None where no serde could make them.
    """

    def __init__(self, topic: object, size: int | None, reason: object) -> None:
        bytes_of = "" if size is None else f" of {size} bytes"
        super().__init__(f"an output{bytes_of} cannot be written to {topic}: {reason}")
        self.topic = topic
        self.size = size


class ProcessingFailed(Exception):
    """A record that stopped the application: which one, and why; the cause is the exception behind it."""


class OffsetsLost(Exception):
    """A group that no longer knows how far a topic was read, so that records would be processed twice."""

    def __init__(self, application: str, topic: str, partition: int, read: int) -> None:
        super().__init__(
            f"the group {application} had committed offset {read} of {topic}-{partition} or a later one, and knows less"
            " now, so that records would be processed twice; say where to go on with 'tailrace groups reset-offsets',"
            " and if that is meant to be earlier, delete this instance's folder of state"
        )
