"""`tailrace log`: look into a broker's data directory."""

import typer

log = typer.Typer(help="Verify and show what a broker has on disk.", no_args_is_help=True)


@log.command()
def verify() -> None:
    pass


@log.command()
def dump() -> None:
    pass
