"""`python -m tailrace.broker`."""

import sys

# kio prepares strategies for Hypothesis wherever that is installed, which would triple the time to start.
sys.modules.setdefault("hypothesis", None)  # type: ignore[arg-type]

import typer  # noqa: E402

from tailrace.broker.cli import broker  # noqa: E402

typer.run(broker)
