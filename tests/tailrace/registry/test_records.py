"""Records of the schemas topic: Confluent's bytes, there and back."""

import pytest

from tailrace.registry.compatibility import Level
from tailrace.registry.records import decode, encode
from tailrace.registry.store import Event, LevelSet, SchemaErased, SchemaStored, SubjectDeleted

RECORDS: dict[str, tuple[Event, bytes, bytes | None]] = {
    "schema": (
        SchemaStored("s", 2, 5, '"int"'),
        b'{"keytype":"SCHEMA","subject":"s","version":2,"magic":1}',
        b'{"subject":"s","version":2,"id":5,"schema":"\\"int\\"","deleted":false}',
    ),
    "deleted schema": (
        SchemaStored("s", 2, 5, '"int"', deleted=True),
        b'{"keytype":"SCHEMA","subject":"s","version":2,"magic":1}',
        b'{"subject":"s","version":2,"id":5,"schema":"\\"int\\"","deleted":true}',
    ),
    "schema of another type": (
        SchemaStored("s", 1, 5, "{}", schema_type="JSON"),
        b'{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}',
        b'{"subject":"s","version":1,"id":5,"schemaType":"JSON","schema":"{}","deleted":false}',
    ),
    "erased schema": (
        SchemaErased("s", 2),
        b'{"keytype":"SCHEMA","subject":"s","version":2,"magic":1}',
        None,
    ),
    "deleted subject": (
        SubjectDeleted("s", 2),
        b'{"keytype":"DELETE_SUBJECT","subject":"s","magic":0}',
        b'{"subject":"s","version":2}',
    ),
    "level": (
        LevelSet("s", Level.FULL),
        b'{"keytype":"CONFIG","subject":"s","magic":0}',
        b'{"compatibilityLevel":"FULL"}',
    ),
    "global level": (
        LevelSet(None, Level.NONE),
        b'{"keytype":"CONFIG","subject":null,"magic":0}',
        b'{"compatibilityLevel":"NONE"}',
    ),
    "level cleared": (LevelSet("s", None), b'{"keytype":"CONFIG","subject":"s","magic":0}', None),
}


@pytest.mark.parametrize(("event", "key", "value"), RECORDS.values(), ids=RECORDS.keys())
def test_event_is_a_record(event: Event, key: bytes, value: bytes | None) -> None:
    assert encode(event) == (key, value)
    assert decode(key, value) == event


def test_confluents_own_record_is_read() -> None:
    key = b'{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}'
    value = (
        b'{"subject":"s","version":1,"id":1,"md5":"x","schema":"\\"int\\"","deleted":false,"offset":3,'
        b'"ts":1,"references":[],"metadata":null,"ruleSet":null}'
    )
    assert decode(key, value) == SchemaStored("s", 1, 1, '"int"')


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b'{"keytype":"NOOP","magic":0}', None),
        (b'{"keytype":"MODE","subject":null,"magic":0}', b'{"mode":"IMPORT"}'),
        (b'{"keytype":"DELETE_SUBJECT","subject":"s","magic":0}', None),
        (b'{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}', b"not JSON"),
        (b'{"keytype":"CONFIG","subject":"s","magic":0}', b'{"compatibilityLevel":"PERHAPS"}'),
        (b"\xff", b"{}"),
        (None, b"{}"),
    ],
)
def test_what_means_nothing_is_passed_over(key: bytes | None, value: bytes | None) -> None:
    assert decode(key, value) is None
