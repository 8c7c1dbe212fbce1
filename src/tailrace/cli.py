"""The `tailrace` command."""

import typer

from tailrace.broker.cli import broker
from tailrace.broker.security.cli import users
from tailrace.connect.cli import connect
from tailrace.registry.cli import registry

app = typer.Typer(
    help="Event-driven microservices for Python on Kafka.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(broker)
app.command()(registry)
app.command()(connect)
app.add_typer(users, name="users")


@app.callback()
def tailrace() -> None:
    """Event-driven microservices for Python on Kafka."""


def main() -> None:
    """Run the command line."""
    app()
