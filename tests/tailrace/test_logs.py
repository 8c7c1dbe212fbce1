"""Log lines of a process, ours and those of libraries."""

import json
import subprocess
import sys

LOGGING = """
import logging, structlog
from tailrace.logs import LogFormat, LogLevel, configure_logs
configure_logs(LogLevel("{level}"), LogFormat("{form}"))
log = structlog.get_logger()
log.debug("a detail")
log.info("retention", topic="orders", from_offset=3)
logging.getLogger("library").info("took %d ms", 7)
logging.getLogger("librdkafka").error("connection refused")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("a request failed")
"""


def logged(form: str, level: str) -> list[str]:
    code = LOGGING.format(form=form, level=level)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_json_is_one_object_a_line_with_the_fields() -> None:
    retention, library, client, failure = (json.loads(line) for line in logged("json", "info"))
    assert retention.pop("timestamp").endswith("Z")
    assert retention == {"level": "info", "event": "retention", "topic": "orders", "from_offset": 3}
    assert (library["logger"], library["event"], library["level"]) == ("library", "took 7 ms", "info")
    assert (client["logger"], client["level"]) == ("librdkafka", "info")
    assert failure["event"] == "a request failed"
    assert "ZeroDivisionError" in failure["exception"]


def test_console_is_readable() -> None:
    retention, library, *_ = logged("console", "info")
    assert retention.endswith("retention topic=orders from_offset=3") or "from_offset=3 topic=orders" in retention
    assert library.endswith("[INFO] library: took 7 ms")


def test_less_than_the_level_is_not_logged() -> None:
    assert [json.loads(line)["event"] for line in logged("json", "error")] == ["a request failed"]
    assert json.loads(logged("json", "debug")[0])["event"] == "a detail"
