"""`tailrace produce`: lines become records, and what is not acknowledged is told."""

import signal
import subprocess

import pytest

from tailrace.commands.failure import CommandFailed
from tailrace.commands.lines import NewRecord, parse_json, parse_text
from tailrace.testing.broker import BrokerProcess

from .conftest import Tailrace, start


def everything(tailrace: Tailrace, topic: str) -> list[tuple[object, object, object]]:
    records = tailrace("consume", topic, "--until-end", "--json").json_lines
    return [(record["key"], record["value"], record["headers"]) for record in records]


def test_lines_are_values(tailrace: Tailrace, topic: str) -> None:
    done = tailrace("produce", topic, "--partition", "1", given="one\n\ntwo\twords\nlast")
    assert done.stderr == "4 records acknowledged\n"
    assert everything(tailrace, topic) == [(None, v, []) for v in ("one", "", "two\twords", "last")]


def test_a_separator_makes_keys_and_headers_come_with_each(tailrace: Tailrace, topic: str) -> None:
    options = ["--key-separator", ": ", "--header", "from=test", "--header", "empty", "--partition", "0"]
    tailrace("produce", topic, *options, given=b"ada: 1: 2\n\xff: \xfe\n")
    headers = [["from", "test"], ["empty", None]]
    first, second = everything(tailrace, topic)
    assert first == ("ada", "1: 2", headers)
    assert second == ({"base64": "/w=="}, {"base64": "/g=="}, headers)


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
@pytest.mark.parametrize("acks", ["all", "1"])
def test_acks_and_compression(tailrace: Tailrace, topic: str, acks: str, compression: str) -> None:
    tailrace("produce", topic, "--acks", acks, "--compression", compression, given="x" * 1000)
    assert everything(tailrace, topic) == [(None, "x" * 1000, [])]


def test_what_consume_prints_can_be_produced_again(tailrace: Tailrace, topic: str) -> None:
    lines = (
        '{"key":null,"value":null,"headers":[],"timestamp":1000}\n'
        '{"key":{"base64":"/w=="},"value":"v","headers":[["a",null],["b",{"base64":"/w=="}]],"timestamp":2000}\n'
    )
    tailrace("produce", topic, "--json", "--partition", "0", given=lines)
    printed = tailrace("consume", topic, "--until-end", "--json").stdout
    tailrace("produce", topic, "--json", "--partition", "1", given=printed)
    records = tailrace("consume", topic, "--until-end", "--json").json_lines
    copies = {p: [{**r, "partition": None} for r in records if r["partition"] == p] for p in (0, 1)}
    assert copies[0] == copies[1]
    assert [r["timestamp"] for r in copies[0]] == [1000, 2000]


def test_a_line_without_separator_ends_it(tailrace: Tailrace, topic: str) -> None:
    said = tailrace.fails("produce", topic, "--key-separator", ":", given="a:1\nb\nc:3\n")
    assert "line 2 has no ':' between key and value; nothing after it was sent" in said
    assert said.endswith("1 records were acknowledged")
    assert [value for _, value, _ in everything(tailrace, topic)] == ["1"]


def test_a_record_that_is_refused_is_named(tailrace: Tailrace, topic: str) -> None:
    tailrace("topics", "configure", topic, "--config", "max.message.bytes=500")
    said = tailrace.fails("produce", topic, "--compression", "none", given="small\n" + "x" * 5000 + "\n")
    assert "line 2 was not acknowledged: Broker: Message size too large" in said


def test_topics_and_partitions_have_to_exist(tailrace: Tailrace, topic: str) -> None:
    assert "has no topic no-such-topic" in tailrace.fails("produce", "no-such-topic", given="x")
    assert "has the partitions 0 to 1, not 7" in tailrace.fails("produce", topic, "--partition", "7", given="x")


def test_records_that_no_broker_took_are_counted(unique: object) -> None:
    with BrokerProcess() as broker:
        Tailrace(broker.bootstrap_servers)("topics", "create", "topic")
        # Time enough for the first line on a slow disk.
        options = ["produce", "topic", "-b", broker.bootstrap_servers, "--timeout", "10"]
        process = start(*options, stdin=subprocess.PIPE)
        assert process.stdin
        process.stdin.write("first\n")
        process.stdin.flush()
        while "1" not in Tailrace(broker.bootstrap_servers)("topics", "offsets", "topic").rows[1]:
            pass
        broker.kill()
        _, said = process.communicate("second\n", timeout=60)
    assert process.returncode == 1
    assert "line 2 was not acknowledged: " in said
    assert said.endswith("1 records were acknowledged\n")


def test_ctrl_c_sends_what_was_read_and_ends() -> None:
    with BrokerProcess() as broker:
        tailrace = Tailrace(broker.bootstrap_servers)
        tailrace("topics", "create", "topic")
        options = ["produce", "topic", "-b", broker.bootstrap_servers]
        process = start(*options, stdin=subprocess.PIPE)
        assert process.stdin
        process.stdin.write("first\n")
        process.stdin.flush()
        while "1" not in tailrace("topics", "offsets", "topic").rows[1]:
            pass
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr
        assert process.stderr.read() == "1 records acknowledged\n"


def test_a_line_of_text() -> None:
    assert parse_text(b"k:v", 3, None, []) == NewRecord(3, None, b"k:v", [])
    assert parse_text(b"k:v", 3, ":", [("a", None)]) == NewRecord(3, b"k", b"v", [("a", None)])
    assert parse_text(b":", 3, ":", []) == NewRecord(3, b"", b"", [])


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"text",
        b"[]",
        b'{"value": 1}',
        b'{"value": {"base64": "?"}}',
        b'{"value": {"base32": ""}}',
        b'{"headers": [[1]]}',
    ],
)
def test_a_line_that_is_no_record_is_told_with_its_number(line: bytes) -> None:
    with pytest.raises(CommandFailed, match="line 7 is no record in JSON: "):
        parse_json(line, 7, [])
