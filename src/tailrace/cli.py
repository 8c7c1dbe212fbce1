"""The `tailrace` command."""

import typer

from tailrace.broker.cli import broker
from tailrace.broker.security.cli import users
from tailrace.commands.consume import consume
from tailrace.commands.groups import groups
from tailrace.commands.log import log
from tailrace.commands.produce import produce
from tailrace.commands.topics import topics
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
app.add_typer(topics, name="topics")
app.add_typer(groups, name="groups")
app.command()(produce)
app.command()(consume)
app.add_typer(log, name="log")
app.add_typer(users, name="users")


@app.callback()
def tailrace() -> None:
    """Event-driven microservices for Python on Kafka."""


def main() -> None:
    """Run the command line."""
    app()
