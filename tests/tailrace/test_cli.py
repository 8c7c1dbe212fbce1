"""The command line as a whole."""

import subprocess
import sys

from typer.testing import CliRunner

from tailrace.cli import app

COMMANDS = "broker registry connect topics groups produce consume log".split()


def test_help_lists_the_commands_and_each_has_its_own() -> None:
    said = CliRunner().invoke(app, ["--help"]).stdout
    for command in COMMANDS:
        assert f" {command} " in said
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0


def test_nothing_is_loaded_before_it_is_needed() -> None:
    code = "import sys, tailrace.cli; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "typer" in loaded
    heavy = {
        "confluent_kafka",
        "kio",
        "structlog",
        "uvloop",
        "prometheus_client",
        "javaproperties",
        "fastapi",
        "cramjam",
    }
    assert not heavy.intersection(loaded)
