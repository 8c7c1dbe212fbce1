"""Rows about configurations; changes are only validated."""

from ..requests import alter, describe_configs, resource
from ..rows import COMPACTED, STRICT, rows

TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP_CONFIG = 2, 4, 8, 16, 32
SET, DELETE, APPEND, SUBTRACT = range(4)

CONFIGS = [
    *rows(
        "describe_configs",
        {
            **{
                f"{kind} {name!r}": describe_configs(kind, name, "x")
                for kind, name in (
                    (TOPIC, "missing"),
                    (TOPIC, "bad name"),
                    (TOPIC, ""),
                    (BROKER, "9"),
                    (BROKER, "one"),
                    (BROKER_LOGGER, "9"),
                    (BROKER_LOGGER, ""),
                    (0, ""),
                    (1, "x"),
                    (99, "x"),
                    (CLIENT_METRICS, "x"),
                    (CLIENT_METRICS, ""),
                    (GROUP_CONFIG, ""),
                    (GROUP_CONFIG, "x"),
                )
            },
            "a config of a topic": describe_configs(TOPIC, COMPACTED, "cleanup.policy"),
            "configs set and not": describe_configs(
                TOPIC,
                STRICT,
                "retention.ms",
                "max.message.bytes",
                "segment.ms",
                "preallocate",
                "min.cleanable.dirty.ratio",
            ),
            "all configs of a topic": {"resources": [resource(TOPIC, STRICT, configuration_keys=None)]},
            "all with synonyms": {
                "resources": [resource(TOPIC, STRICT, configuration_keys=None)],
                "include_synonyms": True,
            },
            "no config": {"resources": [resource(TOPIC, STRICT, configuration_keys=[])]},
            "a config of the broker": describe_configs(BROKER, "1", "num.partitions"),
        },
    ),
    *(
        row
        for api in ("alter_configs", "incremental_alter_configs")
        for row in rows(
            api,
            {
                **{
                    f"{name!r}, {value}": alter(TOPIC, STRICT, (name, SET, value))
                    for name, value in (
                        ("retention.ms", "1000"),
                        ("retention.ms", "soon"),
                        ("retention.ms", None),
                        ("no.such.config", "1"),
                        ("", "1"),
                        ("cleanup.policy", "compact"),
                        ("cleanup.policy", "never"),
                        ("segment.bytes", "1"),
                        ("min.insync.replicas", "3"),
                    )
                },
                **{
                    f"{kind} {name!r}": alter(kind, name, ("retention.ms", SET, "1"))
                    for kind, name in (
                        (TOPIC, "missing"),
                        (TOPIC, "bad name"),
                        (TOPIC, ""),
                        (BROKER, "9"),
                        (BROKER, "one"),
                        (0, "x"),
                        (99, "x"),
                    )
                },
                "nothing": {"resources": []},
            },
        )
    ),
    *rows(
        "incremental_alter_configs",
        {
            **{
                f"{name} {operation} {value}": alter(TOPIC, STRICT, (name, operation, value))
                for name, operation, value in (
                    ("retention.ms", DELETE, None),
                    ("retention.ms", DELETE, "1"),
                    ("segment.ms", DELETE, None),
                    ("no.such.config", DELETE, None),
                    ("cleanup.policy", APPEND, "compact"),
                    ("cleanup.policy", APPEND, "delete"),
                    ("cleanup.policy", APPEND, "never"),
                    ("cleanup.policy", APPEND, None),
                    ("cleanup.policy", SUBTRACT, "compact"),
                    ("cleanup.policy", SUBTRACT, "delete"),
                    ("retention.ms", APPEND, "1"),
                    ("retention.ms", SUBTRACT, "1"),
                    ("no.such.config", APPEND, "1"),
                    ("retention.ms", 9, "1"),
                    ("retention.ms", -1, "1"),
                )
            },
            "named twice": {"resources": [resource(TOPIC, STRICT, configs=[])] * 2, "validate_only": True},
            "a config twice": alter(TOPIC, STRICT, ("retention.ms", SET, "1"), ("retention.ms", SET, "2")),
            "set and delete": alter(TOPIC, STRICT, ("retention.ms", SET, "1"), ("retention.ms", DELETE, None)),
            "one good, one bad": alter(TOPIC, STRICT, ("retention.ms", SET, "1"), ("segment.ms", SET, "0")),
            "a broker config deleted": alter(BROKER, "1", ("leader.replication.throttled.rate", DELETE, None)),
            "a broker config at run time": alter(BROKER, "1", ("log.retention.ms", SET, "1000000")),
            "a broker config that needs a restart": alter(BROKER, "1", ("num.partitions", SET, "2")),
        },
    ),
]
