"""Lets `python -m tailrace.connect` run the command."""

import typer

from tailrace.connect.cli import connect

if __name__ == "__main__":
    typer.run(connect)
