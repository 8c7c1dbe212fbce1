"""What can go wrong between a client and a cluster.

ClientError
├── BrokerUnreachable         nobody answers at the address
├── TransactionAborted        this transaction is undone; begin again from the committed offsets
├── ProducerFenced            another producer took over the transactional id; this one must go
├── ConsumerFenced            another member took over the place in the group; this one must go
├── ConsumerStalled           the consumer gets no records any more; another one will
├── ConsumerMisplaced         the consumer reads from elsewhere than it was told to
├── InstanceUnreleased        the place in the group is still that of a member that did not leave
└── GroupProtocolUnsupported  the cluster does not have the group protocol
"""

from collections.abc import Collection


class ClientError(Exception):
    """Anything this package raises."""


class BrokerUnreachable(ClientError):
    """No broker answered at the bootstrap address within the time given."""

    def __init__(self, bootstrap_servers: str, timeout_s: float) -> None:
        super().__init__(
            f"no Kafka broker answered at {bootstrap_servers} within {timeout_s:g} s; "
            "is it running, and is the address right?"
        )


class TransactionAborted(ClientError):
    """The transaction was rolled back; its records and offsets are as if never sent.

    `may_be_refusal`: whether it was perhaps because of a record, which will not be taken the next time either.
    """

    def __init__(self, message: str, *, may_be_refusal: bool = False) -> None:
        super().__init__(message)
        self.may_be_refusal = may_be_refusal


class ProducerFenced(ClientError):
    """The producer can do nothing any more: a newer one holds its transactional id, or its state is unknown.

    `may_be_refusal`: see TransactionAborted.
    """

    def __init__(self, message: str, *, may_be_refusal: bool = False) -> None:
        super().__init__(message)
        self.may_be_refusal = may_be_refusal


class ConsumerFenced(ClientError):
    """The consumer can do nothing any more: its place in the group is taken, or given up by the coordinator."""


class ConsumerMisplaced(ClientError):
    """The consumer gave a record from before the place from which it was told to read."""

    def __init__(self, topic: str, partition: int, offset: int, told: int) -> None:
        super().__init__(f"{topic} [{partition}] was to be read from offset {told}, and {offset} came")


class InstanceUnreleased(ClientError):
    """A member of the group has the consumer's instance id and did not leave; perhaps it was killed (KIP-848)."""


class GroupProtocolUnsupported(ClientError):
    """The cluster does not have the group protocol, or has it switched off."""


class ConsumerStalled(ClientError):
    """The consumer could not get records of some partitions for long, and would not by itself."""

    def __init__(self, partitions: Collection[str], seconds: float) -> None:
        super().__init__(f"the consumer could not get records of {', '.join(partitions)} for {seconds:g} s")
