"""`python -m tailrace.broker`."""

import typer

from tailrace.broker.cli import broker

typer.run(broker)
