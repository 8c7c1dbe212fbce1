"""The two connectors between the account topics and the account database, in Kafka Connect's own words."""


def sink(url: str) -> dict[str, str]:
    """From account-requests to the table: a request that comes again changes nothing."""
    return {
        "name": "account-requests",
        "connector.class": "SqlSink",
        "tasks.max": "1",
        "topics": "account-requests",
        "connection.url": url,
        "table.name.format": "accounts",
        "insert.mode": "upsert",
        "pk.mode": "record_value",
        "pk.fields": "account_id",
        "errors.tolerance": "all",
        "errors.deadletterqueue.topic.name": "dead-letters",
    }


def source(url: str) -> dict[str, str]:
    """From the table to accounts: what changed, keyed by account, as the contract of the topic has it."""
    return {
        "name": "accounts",
        "connector.class": "SqlSource",
        "tasks.max": "1",
        "connection.url": url,
        "table.include.list": "accounts",
        "mode": "timestamp+incrementing",
        "timestamp.column.name": "updated_at",
        "incrementing.column.name": "id",
        "timestamp.delay.interval.ms": "50",
        "poll.interval.ms": "100",
        "batch.max.rows": "1000",
        "topic.prefix": "",
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "transforms": "key,id,columns",
        "transforms.key.type": "org.apache.kafka.connect.transforms.ValueToKey",
        "transforms.key.fields": "account_id",
        "transforms.id.type": "org.apache.kafka.connect.transforms.ExtractField$Key",
        "transforms.id.field": "account_id",
        "transforms.columns.type": "org.apache.kafka.connect.transforms.ReplaceField$Value",
        "transforms.columns.exclude": "id,requested_at",
    }
