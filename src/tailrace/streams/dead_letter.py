"""Dead letters: records that cannot be read go, as they are, to a topic of their own, with the reason in headers.

The headers are Kafka Connect's, so that its tools can show them.
"""

from tailrace.streams.record import Record

DEAD_LETTERS = "dead-letters"


def headers_of(application: str, record: Record, error: Exception) -> list[tuple[str, bytes]]:
    """Say where a record came from, who could not read it, and why."""
    return [
        ("__connect.errors.topic", (record.topic() or "").encode()),
        ("__connect.errors.partition", str(record.partition()).encode()),
        ("__connect.errors.offset", str(record.offset()).encode()),
        ("__connect.errors.connector.name", application.encode()),
        ("__connect.errors.stage", b"VALUE_CONVERTER"),
        ("__connect.errors.exception.class.name", type(error).__name__.encode()),
        ("__connect.errors.exception.message", str(error).encode()),
    ]
