"""One instance of the application, as a process: `python -m tests.tailrace.streams.chaos.instance ADDRESS NAME ...`."""

import faulthandler
import json
import signal
import sys
import threading
from pathlib import Path

from tailrace.streams import StreamsConfig, run
from tests.tailrace.streams.chaos.dying import die_at
from tests.tailrace.streams.chaos.topology import build


def main(bootstrap_servers, application, settings, instance, folder, *death):
    if death:
        die_at(*death)
    faulthandler.register(signal.SIGUSR1)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    config = StreamsConfig(
        bootstrap_servers,
        Path(folder),
        instance=instance,
        **json.loads(settings),
    )
    run(build(application), config, stop)


if __name__ == "__main__":
    main(*sys.argv[1:])
