"""Stream processing on Kafka: topologies of streams, tables and decisions, exactly once.

Every piece of state is a fold of topics: a table of its source topic, a decision's state of the topics that its events
go to. A store on disk only saves reading them again.
"""

from tailrace.streams.config import StreamsConfig
from tailrace.streams.operators.decide import Identity
from tailrace.streams.runtime import run
from tailrace.streams.state.table import Entry, TableReader
from tailrace.streams.topology import GlobalTable, Stream, Table, Topology, TopologyError

__all__ = [
    "Entry",
    "GlobalTable",
    "Identity",
    "Stream",
    "StreamsConfig",
    "Table",
    "TableReader",
    "Topology",
    "TopologyError",
    "run",
]
