"""Stream processing on Kafka: topologies of streams, tables and decisions, exactly once.

Every piece of state is a fold of topics: a table of its source topic, a decision's state of the topics that its events
go to. A store on disk only saves reading them again.
"""

from tailrace.streams.aggregates import Aggregate
from tailrace.streams.config import StreamsConfig
from tailrace.streams.errors import OffsetsLost, ProcessingFailed, TopologyError, Unwritable
from tailrace.streams.handling import OnError
from tailrace.streams.metrics.metrics import Metrics
from tailrace.streams.operators.decide import Identity
from tailrace.streams.processor import Processor, ProcessorContext
from tailrace.streams.queries import Queries, TableQuery
from tailrace.streams.runtime import run
from tailrace.streams.state.key_value import KeyValueStore
from tailrace.streams.state.session_store import SessionStore
from tailrace.streams.state.table import Entry, TableReader
from tailrace.streams.state.window_store import WindowStore
from tailrace.streams.stored import Stored, StoredSessions, StoredWindows
from tailrace.streams.stream import Stream
from tailrace.streams.table import GlobalTable, Table
from tailrace.streams.topology import Topology
from tailrace.streams.windows import Emit, Hopping, JoinWindow, Sessions, Sliding, Tumbling, Windowed

__all__ = [
    "Aggregate",
    "Emit",
    "Entry",
    "GlobalTable",
    "Hopping",
    "Identity",
    "JoinWindow",
    "KeyValueStore",
    "Metrics",
    "OffsetsLost",
    "OnError",
    "ProcessingFailed",
    "Processor",
    "ProcessorContext",
    "Queries",
    "SessionStore",
    "Sessions",
    "Sliding",
    "Stored",
    "StoredSessions",
    "StoredWindows",
    "Stream",
    "StreamsConfig",
    "Table",
    "TableQuery",
    "TableReader",
    "Topology",
    "TopologyError",
    "Tumbling",
    "Unwritable",
    "WindowStore",
    "Windowed",
    "run",
]
