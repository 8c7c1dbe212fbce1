"""A worker that is killed at a chosen point: `python -m tests.tailrace.connect.crashing_worker POINT BROKERS CONFIG`.

`before-offsets`: a sink has written to its database, but not committed its offsets. `before-commit`: a source's
records are in the log, their transaction is open. `after-commit`: the transaction was just committed.
"""

import json
import os
import signal
import sys
from threading import Event
from typing import Any

from tailrace.client import TransactionalProducer
from tailrace.connect.intake import Intake
from tailrace.connect.worker import Worker

commit = TransactionalProducer.commit


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def flush_and_die(producer: Any) -> None:
    producer._producer.flush()
    die()


def commit_and_die(producer: Any) -> None:
    commit(producer)
    die()


def main(point: str, bootstrap_servers: str, config: str) -> None:
    match point:
        case "before-offsets":
            Intake.commit = die  # type: ignore[method-assign,assignment]
        case "before-commit":
            TransactionalProducer.commit = flush_and_die  # type: ignore[method-assign,assignment]
        case "after-commit":
            TransactionalProducer.commit = commit_and_die  # type: ignore[method-assign,assignment]
    Worker(bootstrap_servers, "http://127.0.0.1:1", [json.loads(config)]).run(Event())


if __name__ == "__main__":
    main(*sys.argv[1:])
