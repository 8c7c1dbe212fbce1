"""The command line of the broker, and its life from start to end."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import structlog
import typer

from tailrace.broker.broker import Broker
from tailrace.broker.checkpoint import CorruptCheckpoint
from tailrace.broker.compaction import Compaction
from tailrace.broker.config import BrokerConfig, Flush
from tailrace.broker.disk import DataDirectoryInUse, Disk
from tailrace.broker.listener import Listener
from tailrace.broker.log.journal import JournalDamaged
from tailrace.broker.log.segment import CorruptSegment
from tailrace.broker.recovery import JournalGap, recover
from tailrace.broker.retention import enforce_retention
from tailrace.broker.security.config import ClientAuth, InvalidSecurity, Mechanism, SecurityProtocol
from tailrace.broker.security.tls import server_context
from tailrace.listening import AddressUnavailable, take_address

EXIT_CANNOT_START = 2
EXIT_DISK_FAILED = 3
CHECKPOINT_WITHIN_S = 1.0
SWITCH_INTERVAL_S = 0.0003
# What says in its message why the broker cannot start and what to do.
CANNOT_START = (
    AddressUnavailable,
    DataDirectoryInUse,
    InvalidSecurity,
    CorruptCheckpoint,
    CorruptSegment,
    JournalDamaged,
    JournalGap,
)

log = structlog.get_logger()


def broker(
    data: Annotated[Path, typer.Option(help="Directory of the broker's data.")] = BrokerConfig.data,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = BrokerConfig.host,
    port: Annotated[int, typer.Option(help="Port to listen on; 0 picks a free one.")] = BrokerConfig.port,
    advertised_host: Annotated[
        str | None, typer.Option(help="Host name that clients are told, if not the one listened on.")
    ] = None,
    flush: Annotated[
        Flush, typer.Option(help="'fsync' survives power failures, 'kafka' leaves writing to the system.")
    ] = BrokerConfig.flush,
    partitions_default: Annotated[
        int, typer.Option(help="Partitions of a topic that is created without a number.")
    ] = BrokerConfig.num_partitions,
    auto_create_topics: Annotated[
        bool, typer.Option(help="Create topics when a client asks for them (auto.create.topics.enable).")
    ] = BrokerConfig.auto_create_topics_enable,
    rebalance_delay_ms: Annotated[
        int, typer.Option(help="How long a new group waits for more members.")
    ] = BrokerConfig.group_initial_rebalance_delay_ms,
    security_protocol: Annotated[
        SecurityProtocol, typer.Option(help="What clients set as security.protocol.")
    ] = BrokerConfig.security_protocol,
    ssl_keystore_location: Annotated[
        Path | None, typer.Option(help="PEM file with private key and certificate chain.")
    ] = None,
    ssl_key_password: Annotated[
        str | None,
        typer.Option(help="Opens the private key.", envvar="SSL_KEY_PASSWORD", show_default=False),
    ] = None,
    ssl_truststore_location: Annotated[
        Path | None, typer.Option(help="PEM file with the authorities that sign clients' certificates.")
    ] = None,
    ssl_client_auth: Annotated[
        ClientAuth, typer.Option(help="Whether clients must show a certificate.")
    ] = BrokerConfig.ssl_client_auth,
    sasl_enabled_mechanisms: Annotated[
        list[Mechanism] | None, typer.Option(help="How clients may log in; again for more. All unless given.")
    ] = None,
    acls: Annotated[bool, typer.Option(help="Allow only what ACLs allow.")] = BrokerConfig.acls,
    super_users: Annotated[
        list[str] | None, typer.Option(help="Who may do everything, such as User:admin; again for more.")
    ] = None,
    allow_everyone_if_no_acl_found: Annotated[
        bool, typer.Option(help="With --acls, let everybody use what no ACL is about.")
    ] = BrokerConfig.allow_everyone_if_no_acl_found,
    address_file: Annotated[
        Path | None, typer.Option(help="File that gets host:port when the broker is ready.")
    ] = None,
) -> None:
    """Run a one-node broker that speaks the Kafka protocol."""
    run(
        BrokerConfig(
            data=data,
            host=host,
            port=port,
            advertised_host=advertised_host,
            flush=flush,
            num_partitions=partitions_default,
            auto_create_topics_enable=auto_create_topics,
            group_initial_rebalance_delay_ms=rebalance_delay_ms,
            security_protocol=security_protocol,
            ssl_keystore_location=ssl_keystore_location,
            ssl_key_password=ssl_key_password,
            ssl_truststore_location=ssl_truststore_location,
            ssl_client_auth=ssl_client_auth,
            sasl_enabled_mechanisms=tuple(sasl_enabled_mechanisms or Mechanism),
            acls=acls,
            super_users=tuple(super_users or ()),
            allow_everyone_if_no_acl_found=allow_everyone_if_no_acl_found,
            address_file=address_file,
        )
    )


def run(config: BrokerConfig) -> None:
    """Run a broker until SIGTERM or SIGINT; exits with code 2 when it cannot start, 3 when the disk fails."""
    _allow_many_files()
    # The thread that syncs wants the interpreter back as soon as the disk is done: by default it would wait up to 5 ms
    # for a busy event loop, several times in a commit.
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        _event_loop().run_until_complete(serve(config))
    except CANNOT_START as error:
        sys.stderr.write(f"tailrace broker: {error}\n")
        raise SystemExit(EXIT_CANNOT_START) from None


def _allow_many_files() -> None:
    """Every partition has open files, and systems allow few unless asked."""
    if sys.platform != "win32":
        import resource

        _, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))


def _event_loop() -> asyncio.AbstractEventLoop:
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()


async def serve(config: BrokerConfig) -> None:
    """Recover, listen, and stop cleanly on a signal."""
    context = server_context(config)
    listening = take_address(config.host, config.port)
    disk = Disk(config.data)
    disk.lock()
    loop = asyncio.get_running_loop()
    state = recover(disk, config.flush)
    running = Broker(config, disk, state, _stop_at_once)
    running.start()
    running.port = listening.getsockname()[1]
    listener = Listener(running, listening, context)
    listener.start()
    chores = [
        asyncio.create_task(_every(config.transaction_abort_timed_out_interval_ms, running.transactions.abort_overdue)),
        asyncio.create_task(_every(config.log_retention_check_interval_ms, partial(enforce_retention, running))),
        asyncio.create_task(Compaction(running).run()),
    ]
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # What is loaded by now stays: the garbage collector need not look at it again and again while clients wait.
    gc.freeze()
    _announce(running)
    await stop.wait()
    for chore in chores:
        chore.cancel()
    listener.close()
    await running.commit.stop(CHECKPOINT_WITHIN_S)
    log.info("broker stopped")


def _announce(running: Broker) -> None:
    config = running.config
    address = f"{config.host}:{running.port}"
    log.info("broker ready", address=address, data=str(config.data), flush=config.flush.value)
    if config.address_file is not None:
        temporary = config.address_file.with_name(config.address_file.name + ".tmp")
        temporary.write_text(address)
        temporary.replace(config.address_file)


async def _every(interval_ms: int, act: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(interval_ms / 1000)
        act()


def _stop_at_once(error: BaseException) -> None:
    """After a failed write or fsync nobody knows what is on disk: acknowledge nothing more, recover at next start."""
    sys.stderr.write(f"tailrace broker: writing to disk failed, stopping at once: {error!r}; restart to recover\n")
    sys.stderr.flush()
    os._exit(EXIT_DISK_FAILED)
