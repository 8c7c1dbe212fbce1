"""How a topology runs."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class StreamsConfig:
    """Settings of one instance of an application.

    `state`: folder for state; only this instance uses it. None keeps state in memory, where each start rebuilds it from
    its topics. `in_memory`: names of stores, tables and global tables that are in memory although there is a folder.
    `instance`: a stable name that no other running instance of the application has: it is the transactional id and the
    group's static member id, so that an instance that comes back takes over from its former self at once.
    `max_task_idle_ms`: how long records of topics that are joined wait for earlier ones of another topic that may still
    be written; what is written already they wait for anyway.

    `pattern_refresh_interval_s`: how often the cluster is asked which topics there are that patterns mean.

    `group_protocol`: with "consumer" (KIP-848) only what moves stops in a rebalance, with "classic" everything does;
    "auto" is the first where the cluster has it. With both, an instance that is killed or stopped has its partitions
    back as soon as it starts again. If it does not, others take them when its session ends: after `session_timeout_ms`
    with "classic", and with "consumer" after what the cluster says, which is 45 s if nobody has changed it.

    `metrics_port`: where `/metrics` and `/ready` are served on the loopback interface; 0 is any free port, None serves
    nothing. `metrics_recording_level`: with "debug", records are counted at each step, too.

    `listen`: the address, such as "127.0.0.1:8090", at which the instance answers queries by HTTP to everybody; port 0
    is any free one. `advertised`: the address at which other instances reach it, if that is another one.
    `standby_replicas`: how many other instances keep the state of each task up to date, ready to take it over.
    """

    bootstrap_servers: str
    state: Path | None
    instance: str = "1"
    in_memory: Collection[str] = ()
    commit_interval_ms: int = 100
    max_batch: int = 2_000
    max_task_idle_ms: int = 0
    max_records_per_commit: int = 10_000
    write_interval_ms: int = 500
    group_protocol: Literal["auto", "consumer", "classic"] = "auto"
    session_timeout_ms: int = 10_000
    transaction_timeout_ms: int = 10_000
    topics_timeout_s: float = 60.0
    pattern_refresh_interval_s: float = 30.0
    metrics_port: int | None = None
    metrics_recording_level: Literal["info", "debug"] = "info"
    listen: str | None = None
    advertised: str | None = None
    standby_replicas: int = 0
