"""The jobs in Quix Streams, with Confluent's Avro as its documentation has it."""

from typing import Any

from quixstreams import Application, State
from quixstreams.models.serializers.avro import AvroDeserializer, AvroSerializer
from quixstreams.models.serializers.schema_registry import SchemaRegistryClientConfig
from quixstreams.models.topics import Topic
from quixstreams.state.rocksdb import RocksDBOptions

from benchmarks.peers.arguments import FRAUD, GRACE_MS, OUTCOME, PAID, PAYMENT, WINDOW_MS, Arguments, parse, schema

TUNED: dict[str, Any] = {
    "commit_interval": 0.1,  # seconds, instead of 5: with exactly-once nothing comes out before a commit
    "consumer_poll_timeout": 0.01,  # instead of 1: the commit and, in joins, the whole batch wait for it
    "max_partition_buffer_size": 1000,  # instead of 10000: joins fetch as much at once, or wait for the timeout
    "rocksdb_options": RocksDBOptions(
        use_fsync=False,  # the changelog has it
        enable_pipelined_write=True,
        block_cache_size=256 << 20,
    ),
    "consumer_extra_config": {
        "session.timeout.ms": 6000,  # instead of 45000: how long a killed process keeps its partitions
        "fetch.queue.backoff.ms": 5,  # go on soon when the queue was full
        "queued.min.messages": 100_000,  # fetch ahead
    },
    "producer_extra_config": {
        "linger.ms": 20,  # larger batches
        "batch.size": 1_000_000,
        "compression.type": "lz4",
        "queue.buffering.max.messages": 1_000_000,
        "retry.backoff.ms": 5,  # instead of 100, when the markers of the last commit are still being written
    },
}


class Topics:
    """Topics of the application, by what their records are."""

    def __init__(self, app: Application, registry: str) -> None:
        self._app = app
        self._registry = SchemaRegistryClientConfig(url=registry)

    def avro_in(self, name: str) -> Topic:
        """A topic to read records from."""
        deserializer = AvroDeserializer(schema_registry_client_config=self._registry)
        return self._app.topic(name, value_deserializer=deserializer)

    def avro_out(self, name: str, contract: str) -> Topic:
        """A topic to write records to."""
        serializer = AvroSerializer(schema(contract), schema_registry_client_config=self._registry)
        return self._app.topic(name, value_serializer=serializer)


def fraud(app: Application, topics: Topics, arguments: Arguments) -> None:
    """Pass on payments that are probably fraud."""
    payments = app.dataframe(topics.avro_in(arguments.input))
    fraudulent = payments.filter(lambda payment: payment["fraud_probability"] > FRAUD)
    fraudulent.to_topic(topics.avro_out(arguments.output, PAYMENT))


def settle(request: dict[str, Any], state: State) -> dict[str, Any] | None:
    """Decide on a request, unless it was decided on before."""
    settled = f"settled/{request['request_id']}"
    if state.exists(settled):
        return None
    account = state.get("account") or {"balance": 0, "sequence": 0}
    change = request["amount"] if request["kind"] == "deposit" else -request["amount"]
    accepted = account["balance"] + change >= 0
    balance = account["balance"] + (change if accepted else 0)
    sequence = account["sequence"] + 1
    state.set(settled, True)
    state.set("account", {"balance": balance, "sequence": sequence})
    return {
        "request_id": request["request_id"],
        "account_id": request["account_id"],
        "accepted": accepted,
        "balance": balance,
        "sequence": sequence,
    }


def ledger(app: Application, topics: Topics, arguments: Arguments) -> None:
    """Decide on deposits and withdrawals, each once."""
    outcomes = app.dataframe(topics.avro_in(arguments.input)).apply(settle, stateful=True)
    decided = outcomes.filter(lambda outcome: outcome is not None)
    decided.to_topic(topics.avro_out(arguments.output, OUTCOME))


class Due:
    """The timestamp of the record at hand, because results of windows are stamped with the window's start."""

    timestamp_ms = 0

    def remember(self, value: Any, key: Any, timestamp_ms: int, headers: Any) -> None:
        """Keep it while the record goes through the window."""
        self.timestamp_ms = timestamp_ms


def windows(app: Application, topics: Topics, arguments: Arguments) -> None:
    """Count the records of a key in each minute."""
    due = Due()
    clicks = app.dataframe(app.topic(arguments.input, value_deserializer="bytes")).update(due.remember, metadata=True)
    counts = clicks.tumbling_window(WINDOW_MS, GRACE_MS).count().current()
    counts = counts.set_timestamp(lambda value, key, timestamp_ms, headers: due.timestamp_ms)
    counts.to_topic(app.topic(arguments.output, value_serializer="json"))


def join(app: Application, topics: Topics, arguments: Arguments) -> None:
    """Give payments the owners of their accounts. The table keeps values for 7 days of event time."""
    assert arguments.table is not None
    accounts = app.dataframe(topics.avro_in(arguments.table))
    payments = app.dataframe(topics.avro_in(arguments.input))
    paid = payments.join_asof(accounts, how="inner", on_merge=pay)
    paid.to_topic(topics.avro_out(arguments.output, PAID))


def pay(payment: dict[str, Any], account: dict[str, Any]) -> dict[str, Any]:
    """A payment with its owner."""
    return {"payment_id": payment["payment_id"], "owner": account["owner"], "amount": payment["amount"]}


def main() -> None:
    """Run until SIGTERM, which the application handles."""
    arguments = parse()
    settings = dict(TUNED) if arguments.tuned else {}
    if arguments.tuned:
        # A restart takes its partitions over and ends the transaction that was left open, at once. By default the
        # transactional id is another each time, and readers wait for the old transaction's timeout, a minute.
        settings["consumer_extra_config"] |= {"group.instance.id": f"{arguments.application}-0"}
        settings["producer_extra_config"] |= {"transactional.id": f"{arguments.application}-0"}
    app = Application(
        broker_address=arguments.bootstrap_servers,
        consumer_group=arguments.application,
        auto_offset_reset="earliest",
        state_dir=arguments.state,
        processing_guarantee="exactly-once",
        loglevel="WARNING",
        **settings,
    )
    jobs = {each.__name__: each for each in (fraud, ledger, windows, join)}
    jobs[arguments.job](app, Topics(app, arguments.registry), arguments)
    app.run()


if __name__ == "__main__":
    main()
