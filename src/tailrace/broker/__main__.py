"""`python -m tailrace.broker`: the same as `tailrace broker`, and quicker when all options are `--override=NAME=VALUE`.

Tests start brokers by the dozen, and the library of the command line takes as long to load as the broker.
"""

import sys

from tailrace.lean import NOT_NEEDED, lean

OVERRIDE = "--override="
options = sys.argv[1:]

if all(option.startswith(OVERRIDE) for option in options):
    with lean(*NOT_NEEDED):
        from tailrace.broker.process import start
    start(None, [option.removeprefix(OVERRIDE) for option in options], {})
else:
    import typer

    from tailrace.broker.cli import broker

    typer.run(broker)
