"""Dead letters: records that cannot be used are kept as they came, with the reason in headers (KIP-298).

The headers are Kafka Connect's, so that its tools can show them.
"""

import traceback

from tailrace.client.record import Record

PREFIX = "__connect.errors."


def dead_letter_headers(
    record: Record, application: str, stage: str, error: Exception, task_id: int = 0
) -> list[tuple[str, str | bytes | None]]:
    """The record's own headers, and where it came from, who could not use it at which stage, and why.

    `stage` is one of Kafka Connect's, such as VALUE_CONVERTER.
    """
    context = {
        "topic": record.topic(),
        "partition": record.partition(),
        "offset": record.offset(),
        "connector.name": application,
        "task.id": task_id,
        "stage": stage,
        "exception.class.name": type(error).__qualname__,
        "exception.message": str(error),
        "exception.stacktrace": "".join(traceback.format_exception(error)),
    }
    return [*(record.headers() or ()), *((PREFIX + name, str(value).encode()) for name, value in context.items())]
