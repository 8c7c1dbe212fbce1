"""The topics as the web service reads them: all of them, from where the view ends, in one thread."""

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition

from agio.contracts import topics
from agio.contracts.events import ExchangeRate
from agio.web.live import Changes
from agio.web.view.fold import FOLDS, Fold, Write
from agio.web.view.fold import Record as Row
from agio.web.view.store import Store
from tailrace.client import (
    BrokerUnreachable,
    CatchUp,
    Record,
    all_ends,
    consume_available,
    consumer,
    wait_for_topics,
)
from tailrace.registry.client import RegistryClient
from tailrace.registry.errors import RegistryUnreachable, SerdeError
from tailrace.registry.serde import AvroSerde

TOPICS = (*(fold.contract.topic for fold in FOLDS), topics.EXCHANGE_RATES.topic)

# Enough of the quotes' end to find the latest of every pair.
QUOTES_READ_AT_START = 2000

# Records of one commit. When more than BUSY came at once, a pause lets the next batch grow: under load a few large
# commits cost far less than many small ones, and without load nothing waits.
BATCH_MAX = 5000
BUSY = 200
BUSY_PAUSE_S = 0.04

# After so many undecodable records of a topic, only every thousandth is told.
WARNINGS_MAX = 10

log = structlog.get_logger("agio.web")


class Feed(threading.Thread):
    """Reads records into the view at `path`, and then says what they changed.

    `on_changes` and `on_caught_up` are called in this thread; the latter once, when all that the topics held at the
    start is in the view. `is_watched` says whose changes are worth telling. When the thread ends without being told
    to, `failure` says why.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        registry: RegistryClient,
        path: Path,
        *,
        prepare: Callable[[], None],
        on_changes: Callable[[Changes], object],
        on_caught_up: Callable[[], object],
        is_watched: Callable[[str], bool],
    ) -> None:
        super().__init__(name="agio-web-feed", daemon=True)
        self.failure: Exception | None = None
        self.waits_for = "the broker"
        self._bootstrap_servers = bootstrap_servers
        self._registry = registry
        self._path = path
        self._prepare = prepare
        self._on_changes = on_changes
        self._on_caught_up = on_caught_up
        self._is_watched = is_watched
        self._stop_asked = threading.Event()
        self._folds: dict[str, tuple[Fold[Any], AvroSerde[Any]]] = {
            fold.contract.topic: (fold, fold.contract.serde(registry)) for fold in FOLDS
        }
        self._rates = topics.EXCHANGE_RATES.serde(registry)
        self._undecodable: Counter[str] = Counter()

    def run(self) -> None:
        """Read until told to stop."""
        try:
            self._read()
        except Exception as failure:
            self.failure = failure

    def stop(self) -> None:
        """Ask the thread to end, and wait a moment for it."""
        self._stop_asked.set()
        if self.is_alive():
            self.join(1.0)

    def _read(self) -> None:
        settings = {"client_id": "agio-web", "enable_partition_eof": True, "queued_min_messages": 20_000}
        reader = consumer(self._bootstrap_servers, "agio-web", **settings)
        store = None
        try:
            store = self._begin(reader)
            while store is not None and not self._stop_asked.is_set():
                messages = consume_available(reader, BATCH_MAX, 0.1)
                if not messages and not self.waits_for:
                    continue
                self._take(store, messages)
                if BUSY < len(messages) < BATCH_MAX:
                    self._stop_asked.wait(BUSY_PAUSE_S)
        finally:
            reader.close()
            if store is not None:
                store.close()

    def _begin(self, reader: Consumer) -> Store | None:
        """Open the view and begin to read where it ends, once all is there for that, or we are told to stop."""
        store = None
        while not self._stop_asked.is_set():
            try:
                partition_count = wait_for_topics(self._bootstrap_servers, TOPICS, timeout_s=0.5)
                self._registry.wait_ready(timeout_s=0.5)
                self._prepare()
                cluster_id = reader.list_topics(timeout=5).cluster_id or ""
                partitions = [(topic, partition) for topic in TOPICS for partition in range(partition_count[topic])]
                ends = all_ends(reader, partitions)
                store = store or Store(self._path, cluster_id)
                self._assign(reader, store, ends)
            except (BrokerUnreachable, LookupError, RegistryUnreachable, KafkaException) as missing:
                self.waits_for = str(missing)
                self._stop_asked.wait(0.1)
            else:
                self.waits_for = "the view, which is being built from the topics"
                break
        return store

    def _assign(self, reader: Consumer, store: Store, ends: Mapping[tuple[str, int], int]) -> None:
        if any(offset > ends.get(at, 0) for at, offset in store.offsets.items()):
            log.warning("the topics end before the view does; building the view again")
            store.clear()
        starts = {at: store.offsets.get(at, 0) for at in ends}
        for at, end in ends.items():
            if at[0] == topics.EXCHANGE_RATES.topic:
                starts[at] = max(0, end - QUOTES_READ_AT_START)
        self._progress = CatchUp(reader, starts)
        reader.assign([TopicPartition(*at, start) for at, start in starts.items()])

    def _take(self, store: Store, messages: Iterable[Record]) -> None:
        """Take one batch in: decode, write, tell."""
        changes = Changes()
        by_topic: defaultdict[str, list[Record]] = defaultdict(list)
        for message in messages:
            topic = message.topic()
            if (error := message.error()) is None:
                by_topic[topic].append(message)
                changes.offsets[topic, message.partition()] = message.offset() + 1
            elif error.fatal():
                raise KafkaException(error)
            self._progress.note(message)
        if by_topic:
            changes.quotes = self._quotes(by_topic.pop(topics.EXCHANGE_RATES.topic, []))
            writes = {topic: self._fold(topic, batch) for topic, batch in by_topic.items()}
            if writes:
                written = {at: offset for at, offset in changes.offsets.items() if at[0] in writes}
                store.apply(chain.from_iterable(writes.values()), written)
            # Only now, as a watch that begins later looks at the view first, and finds it there.
            for topic, written_rows in writes.items():
                self._note(topic, written_rows, changes)
            self._on_changes(changes)
        if not self._progress.behind and self.waits_for:
            self.waits_for = ""
            self._on_caught_up()

    def _fold(self, topic: str, messages: list[Record]) -> list[Write]:
        fold, serde = self._folds[topic]
        records: list[Row[Any]] = []
        for message in messages:
            value = message.value()
            try:
                event = None if value is None else serde.decode(value)
                records.append(((message.key() or b"").decode(), event, message.offset()))
            except (SerdeError, UnicodeDecodeError) as problem:
                self._skip(message, problem)
        return fold.writes(records)

    def _note(self, topic: str, writes: list[Write], changes: Changes) -> None:
        """Note which of the watched accounts the rows belong to."""
        if topic in (topics.SIGN_UPS.topic, topics.SESSIONS.topic):
            return
        for row in writes[0][1]:
            account_id = str(row[0])
            if not self._is_watched(account_id):
                continue
            difference = changes.accounts[account_id]
            if topic == topics.WALLETS.topic:
                difference.wallet = True
            elif topic == topics.ACCOUNTS.topic:
                difference.account = True
            else:
                difference.transactions.add(str(row[1]))

    def _quotes(self, messages: list[Record]) -> list[ExchangeRate]:
        """Decode the last quote of each pair."""
        quotes = []
        for message in {message.key(): message for message in messages}.values():
            if (value := message.value()) is None:
                continue
            try:
                quotes.append(self._rates.decode(value))
            except SerdeError as problem:
                self._skip(message, problem)
        return quotes

    def _skip(self, message: Record, problem: Exception) -> None:
        topic = message.topic()
        self._undecodable[topic] += 1
        count = self._undecodable[topic]
        if count <= WARNINGS_MAX or count % 1000 == 0:
            place = {"topic": topic, "partition": message.partition(), "offset": message.offset()}
            log.warning("skipped an undecodable record", **place, problem=str(problem), skipped=count)
