"""Settings of groups of KIP-848, whose members may not ask for them, for tests that cannot wait."""

from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from tailrace.client import admin

HEARTBEAT_INTERVAL_MS = 100


def make_quick(bootstrap_servers: str, group: str, session_timeout_ms: int) -> None:
    """Have the cluster hear of a group's members often, and give up on one of which it has not heard for so long."""
    wanted = {
        "consumer.session.timeout.ms": str(session_timeout_ms),
        "consumer.heartbeat.interval.ms": str(HEARTBEAT_INTERVAL_MS),
    }
    entries = [ConfigEntry(*each, incremental_operation=AlterConfigOpType.SET) for each in wanted.items()]
    client = admin(bootstrap_servers)
    resource = ConfigResource(ResourceType.GROUP, group, incremental_configs=entries)
    client.incremental_alter_configs([resource])[resource].result(30)
