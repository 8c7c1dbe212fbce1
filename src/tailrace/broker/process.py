"""The process of a broker, from start to end."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from tailrace.broker.broker import Broker
from tailrace.broker.checkpoint import CorruptCheckpoint
from tailrace.broker.compaction import Compaction
from tailrace.broker.config import BrokerConfig, Flush
from tailrace.broker.disk import Disk
from tailrace.broker.expiration import forget_producers
from tailrace.broker.listener import Listener
from tailrace.broker.log.journal import JournalDamaged
from tailrace.broker.log.segment import CorruptSegment
from tailrace.broker.recovery import JournalGap, recover
from tailrace.broker.retention import enforce_retention
from tailrace.broker.security.config import InvalidSecurity
from tailrace.broker.security.tls import server_context
from tailrace.broker.server_properties import InvalidSetting, read_config
from tailrace.directory_lock import DirectoryInUse
from tailrace.listening import AddressUnavailable, take_address
from tailrace.logs import configure_logs

if TYPE_CHECKING:
    from tailrace.broker.metrics.source import BrokerMetrics
    from tailrace.metrics.server import MetricsServer

EXIT_CANNOT_START = 2
EXIT_DISK_FAILED = 3
CHECKPOINT_WITHIN_S = 1.0
FILES_BEHIND_MAX = 3
SWITCH_INTERVAL_S = 0.0003
GARBAGE_THRESHOLDS = (100_000, 20, 20)
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
# What says in its message why the broker cannot start and what to do.
CANNOT_START = (
    AddressUnavailable,
    DirectoryInUse,
    InvalidSecurity,
    CorruptCheckpoint,
    CorruptSegment,
    JournalDamaged,
    JournalGap,
)

log = structlog.get_logger()


def start(file: Path | None, overrides: Iterable[str], given: Mapping[str, Any]) -> None:
    """Run a broker with the settings of a file, of `overrides` (`name=value`) and as given, the last one winning."""
    try:
        config = read_config(file, overrides, given)
    except InvalidSetting as error:
        sys.stderr.write(f"tailrace broker: {error}\n")
        raise SystemExit(EXIT_CANNOT_START) from None
    run(config)


def run(config: BrokerConfig) -> None:
    """Run a broker until SIGTERM or SIGINT; exits with code 2 when it cannot start, 3 when the disk fails."""
    _allow_many_files()
    _keep_freed_memory()
    # The thread that syncs wants the interpreter back as soon as the disk is done: by default it would wait up to 5 ms
    # for a busy event loop, several times in a commit.
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    configure_logs(config.log_level, config.log_format)
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


def _keep_freed_memory() -> None:
    """Let glibc use memory of the size of requests again, instead of having the system clear new pages for each."""
    if sys.platform == "linux":
        import ctypes

        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(M_MMAP_THRESHOLD, 32 << 20)
            mallopt(M_TRIM_THRESHOLD, 64 << 20)


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
    metrics, server = _start_metrics(config, loop)
    state = recover(disk, config.flush, config.topic_defaults)
    running = Broker(config, disk, state, _stop_at_once)
    if state.files_behind > FILES_BEHIND_MAX:
        # Earlier lives were too short for a checkpoint; without one, each start would take longer than the one before.
        await running.commit.catch_up()
    running.start()
    running.port = listening.getsockname()[1]
    listener = Listener(running, listening, context)
    listener.start()
    chores = [
        asyncio.create_task(_every(config.transaction_abort_timed_out_interval_ms, running.transactions.abort_overdue)),
        asyncio.create_task(_every(config.log_retention_check_interval_ms, partial(enforce_retention, running))),
        asyncio.create_task(
            _every(config.producer_id_expiration_check_interval_ms, partial(forget_producers, running))
        ),
        asyncio.create_task(Compaction(running).run()),
    ]
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # What is loaded by now stays: the garbage collector need not look at it again and again while clients wait. Nor
    # need it look often at the rest: requests are no garbage while they wait, and go without it when they are done.
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    if metrics is not None:
        metrics.serve(running)
    _announce(running, server)
    await stop.wait()
    if metrics is not None:
        metrics.stop_serving()
    for chore in chores:
        chore.cancel()
    listener.close()
    await running.commit.stop(CHECKPOINT_WITHIN_S)
    log.info("broker stopped")


def _start_metrics(
    config: BrokerConfig, loop: asyncio.AbstractEventLoop
) -> tuple[BrokerMetrics, MetricsServer] | tuple[None, None]:
    if config.metrics_port is None:
        return None, None
    from tailrace.broker.metrics.source import BrokerMetrics
    from tailrace.metrics.server import MetricsServer

    metrics = BrokerMetrics(loop)
    server = MetricsServer(config.host, config.metrics_port, metrics)
    server.start()
    return metrics, server


def _announce(running: Broker, metrics: MetricsServer | None) -> None:
    config = running.config
    address = f"{config.host}:{running.port}"
    log.info("broker ready", address=address, data=str(config.data), flush=config.flush.value)
    if config.flush is Flush.KAFKA:
        log.warning("records may be lost in a power failure although they were acknowledged, as with Kafka's default")
    if metrics is not None:
        log.info("metrics", url=f"http://{config.host}:{metrics.port}/metrics")
    if config.address_file is not None:
        if metrics is not None:
            metrics_file = config.address_file.with_name(config.address_file.name + ".metrics")
            _write_at_once(metrics_file, f"{config.host}:{metrics.port}")
        _write_at_once(config.address_file, address)


def _write_at_once(file: Path, text: str) -> None:
    """Nobody sees a part of the text."""
    temporary = file.with_name(file.name + ".tmp")
    temporary.write_text(text)
    temporary.replace(file)


async def _every(interval_ms: int, act: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(interval_ms / 1000)
        act()


def _stop_at_once(error: BaseException) -> None:
    """After a failed write or fsync nobody knows what is on disk: acknowledge nothing more, recover at next start."""
    sys.stderr.write(f"tailrace broker: writing to disk failed, stopping at once: {error!r}; restart to recover\n")
    sys.stderr.flush()
    os._exit(EXIT_DISK_FAILED)
