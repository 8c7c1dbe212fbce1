"""What has to be there before the services can talk: topics and contracts. Doing it again changes nothing."""

from agio.contracts.topics import CONTRACTS, DEAD_LETTERS
from tailrace.client import ensure_topics
from tailrace.registry.client import RegistryClient


def set_up(bootstrap_servers: str, schema_registry: str, timeout_s: float = 30.0) -> None:
    """Create missing topics and register the contracts.

    Raises BrokerUnreachable, RegistryUnreachable, IncompatibleSchema for a contract that old records do not fit, and
    ValueError for a topic with another number of partitions.
    """
    ensure_topics(bootstrap_servers, [*(contract.as_topic() for contract in CONTRACTS), DEAD_LETTERS], timeout_s)
    registry = RegistryClient(schema_registry)
    registry.wait_ready(timeout_s)
    for contract in CONTRACTS:
        registry.register(contract.subject, contract.schema)
