"""Errors that pass by themselves: asking again helps, though librdkafka hands them on."""

from confluent_kafka import KafkaError, KafkaException

# Nobody answered, or there was nobody to ask.
UNREACHABLE = frozenset(
    {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT, KafkaError._TIMED_OUT_QUEUE}
)
# A partition that was made a moment ago, or whose broker is starting, has no leader yet or one that knows no end yet.
NO_LEADER = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.REPLICA_NOT_AVAILABLE,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_PARTITION,
    }
)
NO_COORDINATOR = frozenset(
    {
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError._WAIT_COORD,
    }
)
PASSING = UNREACHABLE | NO_LEADER | NO_COORDINATOR


def is_unreachable(exception: KafkaException) -> bool:
    """Whether it only says that nobody answered."""
    return exception.args[0].code() in UNREACHABLE


def is_passing(error: KafkaError) -> bool:
    """Whether asking again helps."""
    return error.retriable() or error.code() in PASSING
