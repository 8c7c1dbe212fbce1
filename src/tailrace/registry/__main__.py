"""Run `python -m tailrace.registry`."""

import typer

from tailrace.registry.cli import registry

typer.run(registry)
