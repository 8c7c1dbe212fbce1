"""The jobs in Faust (faust-streaming), with a codec of fastavro.

It is told to process exactly once, and does not: results for topics that the application does not read itself are sent
outside the transaction, and RocksDB is written before the commit, so that after a crash results come again and state
is wrong. Windows count what comes after the grace, too.
"""

import asyncio
import sys
import time
from typing import Any

import faust
from faust.serializers import codecs
from mode.loop import use

from benchmarks.peers.arguments import FRAUD, GRACE_MS, OUTCOME, PAID, PAYMENT, WINDOW_MS, Arguments, parse, schema
from benchmarks.peers.avro import decoder, encoder

PARTITIONS = 4
HALF_A_MS = 0.0005
"""Times are seconds as floats and are cut off to milliseconds when sent, which would lose one of them now and then."""

TABLE_WAIT_S, TABLE_STILL_S = 10.0, 1.0
"""How long after the start payments wait for an account that the table does not have yet, and for a still table."""

TUNED: dict[str, Any] = {
    "broker_commit_interval": 0.1,  # seconds, instead of 2.8: with exactly-once nothing comes out before a commit
    "broker_session_timeout": 6.0,  # instead of 60: how long a killed process keeps its partitions
    "broker_heartbeat_interval": 2.0,
    "broker_max_poll_records": 4096,  # at once, of a partition
    "consumer_max_fetch_size": 4 << 20,
    "producer_linger": 0.005,  # larger batches
    "producer_max_batch_size": 1 << 20,
    "stream_buffer_maxsize": 16_384,
    "topic_disable_leader": True,  # no topic to elect a leader with
    "stream_wait_empty": False,  # do not wait for agents in rebalances
    "table_key_index_size": 100_000,  # keys whose partition is remembered
    "cython_optimizations": True,
}


class Avro(codecs.Codec):
    """A codec for one topic."""

    def __init__(self, registry: str, topic: str = "", contract: str | None = None) -> None:
        super().__init__()
        self._decode = decoder(registry)
        self._encode = encoder(registry, topic, schema(contract)) if contract else None

    def _loads(self, data: bytes) -> Any:
        return self._decode(data)

    def _dumps(self, record: Any) -> bytes:
        assert self._encode is not None
        return self._encode(record)


class Topics:
    """Topics of the application, by what their records are."""

    def __init__(self, app: faust.App, registry: str) -> None:
        self._app = app
        self._registry = registry

    def raw(self, name: str) -> Any:
        """A topic whose values are bytes."""
        return self._app.topic(name, key_serializer="raw", value_serializer="raw", allow_empty=True)

    def avro_in(self, name: str) -> Any:
        """A topic to read records from."""
        return self._app.topic(name, key_serializer="raw", value_serializer=Avro(self._registry))

    def avro_out(self, name: str, contract: str) -> Any:
        """A topic to write records to."""
        return self._app.topic(name, key_serializer="raw", value_serializer=Avro(self._registry, name, contract))


async def send(output: Any, event: Any, value: Any) -> None:
    """Send a value with the key and the time of the record that it comes from, in the transaction of its partition."""
    message = event.message
    await output.send(key=event.key, value=value, partition=message.partition, timestamp=message.timestamp + HALF_A_MS)


def fraud(app: faust.App, topics: Topics, arguments: Arguments) -> None:
    """Pass on payments that are probably fraud."""
    output = topics.avro_out(arguments.output, PAYMENT)

    @app.agent(topics.avro_in(arguments.input))
    async def payments(stream: Any) -> None:
        async for event in stream.events():
            if event.value["fraud_probability"] > FRAUD:
                await send(output, event, event.value)


def ledger(app: faust.App, topics: Topics, arguments: Arguments) -> None:
    """Decide on deposits and withdrawals, each once."""
    output = topics.avro_out(arguments.output, OUTCOME)
    accounts = app.Table("accounts", partitions=PARTITIONS)
    settled = app.Table("settled", partitions=PARTITIONS)

    @app.agent(topics.avro_in(arguments.input))
    async def requests(stream: Any) -> None:
        async for event in stream.events():
            request = event.value
            request_key = f"{request['account_id']}/{request['request_id']}"
            if request_key in settled:
                continue
            account_id = request["account_id"]
            balance, sequence = accounts.get(account_id) or (0, 0)
            change = request["amount"] if request["kind"] == "deposit" else -request["amount"]
            accepted = balance + change >= 0
            if accepted:
                balance += change
            settled[request_key] = True
            accounts[account_id] = (balance, sequence + 1)
            outcome = {
                "request_id": request["request_id"],
                "account_id": account_id,
                "accepted": accepted,
                "balance": balance,
                "sequence": sequence + 1,
            }
            await send(output, event, outcome)


def windows(app: faust.App, topics: Topics, arguments: Arguments) -> None:
    """Count the records of a key in each minute."""
    output = app.topic(arguments.output, key_serializer="raw", value_serializer="json")
    seconds = WINDOW_MS / 1000
    table = app.Table("counts", default=int, partitions=PARTITIONS)
    counts = table.tumbling(seconds, expires=seconds + GRACE_MS / 1000)

    @app.agent(topics.raw(arguments.input))
    async def clicks(stream: Any) -> None:
        async for event in stream.events():
            window = counts[event.key.decode()]
            window += 1
            await send(output, event, window.value(event))


def join(app: faust.App, topics: Topics, arguments: Arguments) -> None:
    """Give payments the owners of their accounts."""
    assert arguments.table is not None
    output = topics.avro_out(arguments.output, PAID)
    accounts = app.Table("accounts", partitions=PARTITIONS)
    filled_s = 0.0

    @app.agent(topics.avro_in(arguments.table))
    async def fill(stream: Any) -> None:
        nonlocal filled_s
        async for event in stream.events():
            accounts[event.key.decode()] = event.value
            filled_s = time.monotonic()

    @app.agent(topics.avro_in(arguments.input))
    async def payments(stream: Any) -> None:
        begun_s: float | None = None
        async for event in stream.events():
            begun_s = begun_s or time.monotonic()
            payment = event.value
            account = accounts.get(payment["account_id"])
            while account is None and time.monotonic() < min(
                begun_s + TABLE_WAIT_S, max(begun_s, filled_s) + TABLE_STILL_S
            ):
                await asyncio.sleep(0.01)
                account = accounts.get(payment["account_id"])
            if account is not None:
                paid = {"payment_id": payment["payment_id"], "owner": account["owner"], "amount": payment["amount"]}
                await send(output, event, paid)


def main() -> None:
    """Run until SIGTERM, which the worker handles."""
    arguments = parse()
    settings = dict(TUNED) if arguments.tuned else {}
    if arguments.tuned:
        use("uvloop")
        settings["consumer_group_instance_id"] = f"{arguments.application}-0"  # a restart is known at once
    app = faust.App(
        arguments.application,
        broker=f"kafka://{arguments.bootstrap_servers}",
        store="rocksdb://",
        datadir=str(arguments.state),
        processing_guarantee="exactly_once",
        consumer_auto_offset_reset="earliest",
        topic_partitions=PARTITIONS,  # of tables, as many as the topics have
        web_enabled=False,
        **settings,
    )
    if arguments.tuned:
        app.producer.buffer.max_messages = 10_000  # instead of 100, of tables and topics, before the input waits
    jobs = {each.__name__: each for each in (fraud, ledger, windows, join)}
    jobs[arguments.job](app, Topics(app, arguments.registry), arguments)
    sys.argv = sys.argv[:1]
    faust.Worker(app, loglevel="WARNING").execute_from_commandline()


if __name__ == "__main__":
    main()
