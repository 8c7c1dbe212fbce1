"""Which errors of the client say that the cluster does not take a record, so that sending it again helps nobody."""

from confluent_kafka import KafkaError

REFUSALS = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_RECORD,
        KafkaError.INVALID_TIMESTAMP,
        KafkaError.UNSUPPORTED_FOR_MESSAGE_FORMAT,
        KafkaError.POLICY_VIOLATION,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.TOPIC_EXCEPTION,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
    }
)

# A transaction that has failed is in the wrong state for the next record, and inconsistent at its commit if it was the
# client that gave a record up: either may be because of a record.
PERHAPS_REFUSALS = REFUSALS | {KafkaError._STATE, KafkaError._INCONSISTENT, KafkaError._PURGE_QUEUE}


def is_refusal(error: KafkaError) -> bool:
    """Whether a record's own error says that it will never be taken."""
    return error.code() in REFUSALS


def may_be_refusal(error: KafkaError) -> bool:
    """Whether a transaction's error may come from a record that will never be taken."""
    return error.code() in PERHAPS_REFUSALS
