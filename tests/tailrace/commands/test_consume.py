"""`tailrace consume`: where it begins and ends, and how it shows what it reads."""

import signal
import subprocess
from collections.abc import Callable

import pytest
from confluent_kafka import Producer

from tailrace.commands.output import escape, json_of, text_of

from .conftest import Tailrace, start


@pytest.fixture
def filled(tailrace: Tailrace, topic: str) -> str:
    """Ten records in partition 0, a second apart from 1970-01-01 on, and one in partition 1."""
    lines = "".join(f'{{"key":"k","value":"{n}","timestamp":{n * 1000}}}\n' for n in range(1, 11))
    tailrace("produce", topic, "--json", "--partition", "0", given=lines)
    tailrace("produce", topic, "--json", "--partition", "1", given='{"value":"other","timestamp":11000}\n')
    return topic


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], [*range(1, 11)]),
        (["--from-beginning"], [*range(1, 11)]),
        (["--offset", "8"], [9, 10]),
        (["--offset", "99"], []),
        (["--timestamp", "8500"], [9, 10]),
        (["--timestamp", "1970-01-01T00:00:09Z"], [9, 10]),
        (["--timestamp", "2026-01-01"], []),
        (["--max-messages", "3"], [1, 2, 3]),
    ],
)
def test_where_it_begins_and_ends(tailrace: Tailrace, filled: str, options: list[str], expected: list[int]) -> None:
    read = tailrace("consume", filled, "--partition", "0", "--until-end", *options).stdout
    assert read.splitlines() == [str(value) for value in expected]


def test_all_partitions_unless_told(tailrace: Tailrace, filled: str) -> None:
    assert len(tailrace("consume", filled, "--until-end").stdout.splitlines()) == 11
    assert tailrace("consume", filled, "--until-end", "--partition", "1").stdout == "other\n"
    assert "has the partitions 0 to 1" in tailrace.fails("consume", filled, "--partition", "2")


def test_an_empty_topic_ends_at_once(tailrace: Tailrace, topic: str) -> None:
    assert tailrace("consume", topic, "--until-end").stdout == ""


def test_what_is_shown_beside_the_value(tailrace: Tailrace, filled: str) -> None:
    shown = tailrace(
        "consume", filled, "--until-end", "--partition", "0", "--offset", "9", "--keys", "--positions", "--timestamps"
    )
    assert shown.stdout == "1970-01-01T00:00:10.000Z\t0:9\tk\t10\n"


def test_only_one_beginning_is_taken(tailrace: Tailrace, topic: str) -> None:
    assert "give only one of" in tailrace.fails("consume", topic, "--from-beginning", "--offset", "1")
    assert "a group decides itself" in tailrace.fails("consume", topic, "--group", "g", "--offset", "1")
    assert "is no timestamp" in tailrace.fails("consume", topic, "--timestamp", "yesterday")
    assert "has no topic no-such-topic" in tailrace.fails("consume", "no-such-topic")


def test_a_group_goes_on_where_it_stopped(tailrace: Tailrace, filled: str, unique: Callable[[str], str]) -> None:
    group = unique("group")
    shown = [
        tailrace("consume", filled, "--group", group, "--from-beginning", *options).stdout.splitlines()
        for options in (["--max-messages", "4"], ["--max-messages", "4"], ["--until-end"], ["--until-end"])
    ]
    assert [len(lines) for lines in shown] == [4, 4, 3, 0]
    assert sorted(line for lines in shown for line in lines) == sorted([*map(str, range(1, 11)), "other"])


def test_only_committed_records_are_shown_unless_told(
    tailrace: Tailrace, topic: str, unique: Callable[[str], str]
) -> None:
    settings = {"bootstrap.servers": tailrace.bootstrap_servers, "transactional.id": unique("id"), "log_level": 0}
    producer = Producer(settings)
    producer.init_transactions(30)
    for value, end in (("aborted", producer.abort_transaction), ("committed", producer.commit_transaction)):
        producer.begin_transaction()
        producer.produce(topic, value, partition=0)
        producer.flush(60)
        end()
    assert tailrace("consume", topic, "--until-end").stdout == "committed\n"
    everything = tailrace("consume", topic, "--until-end", "--isolation", "read_uncommitted").stdout
    assert everything == "aborted\ncommitted\n"


def test_it_follows_until_ctrl_c(tailrace: Tailrace, filled: str) -> None:
    options = ["consume", filled, "-b", tailrace.bootstrap_servers, "--offset", "10", "--partition", "0"]
    process = start(*options, stdout=subprocess.PIPE)
    tailrace("produce", filled, "--partition", "0", given="new\n")
    assert process.stdout
    assert process.stdout.readline() == "new\n"
    process.send_signal(signal.SIGINT)
    rest, said = process.communicate(timeout=60)
    assert (process.returncode, rest, said) == (0, "", "")


def test_who_reads_its_output_may_have_enough(tailrace: Tailrace, filled: str) -> None:
    options = ["consume", filled, "-b", tailrace.bootstrap_servers, "--from-beginning", "--partition", "0"]
    process = start(*options, stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    process.stdout.close()
    tailrace("produce", filled, "--partition", "0", given="new\n")
    assert process.wait(60) == 0
    assert process.stderr
    assert process.stderr.read() == ""


@pytest.mark.parametrize(
    ("data", "text", "as_json"),
    [
        (None, "null", None),
        (b"", "", ""),
        ("zwölf €".encode(), "zwölf €", "zwölf €"),
        (b"\xff\x00a", "\\xff\\x00a", {"base64": "/wBh"}),
        (b"\x1b[2J\n", "\\x1b[2J\\n", "\x1b[2J\n"),
    ],
)
def test_bytes_are_shown_safely(data: bytes | None, text: str, as_json: object) -> None:
    assert text_of(data) == text
    assert json_of(data) == as_json


def test_only_what_cannot_be_printed_is_escaped() -> None:
    assert escape("a b\tc\u202e\x7f") == "a b\\tc\\u202e\\x7f"
