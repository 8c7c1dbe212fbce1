"""The registry's rules, without topic or HTTP."""

import json

import pytest

from tailrace.registry.compatibility import Level
from tailrace.registry.errors import ErrorCode, Rejection
from tailrace.registry.store import (
    DeleteSubject,
    DeleteVersion,
    Event,
    Register,
    Request,
    SchemaErased,
    SchemaStored,
    SetLevel,
    State,
    SubjectDeleted,
    asked_about,
    check,
    decide,
    evolve,
    find,
)


def user(*names: str, default: str | None = "") -> str:
    """A record of strings; the first has no default."""
    fields = [{"name": name, "type": "string"} for name in names]
    for added in fields[1:]:
        if default is not None:
            added["default"] = default
    return json.dumps({"type": "record", "name": "User", "fields": fields})


V1, V2, V3 = user("a"), user("a", "b"), user("a", "b", "c")
OTHER = '"string"'


class Log:
    """State and events, as a topic would hold them."""

    def __init__(self) -> None:
        self.state = State()
        self.events: list[Event] = []

    def do(self, *requests: Request) -> Rejection | None:
        for request in requests:
            outcome = decide(self.state, request)
            if isinstance(outcome, Rejection):
                return outcome
            for event in outcome:
                evolve(self.state, event)
                self.events.append(event)
        return None


@pytest.fixture
def log() -> Log:
    return Log()


def place(log: Log, subject: str, schema: str) -> tuple[int, int]:
    found = find(log.state, subject, schema)
    assert isinstance(found, SchemaStored)
    return found.id, found.version


def test_versions_and_ids_count_from_one(log: Log) -> None:
    log.do(Register("s", V1), Register("s", V2), Register("t", OTHER))
    assert [place(log, "s", V1), place(log, "s", V2), place(log, "t", OTHER)] == [(1, 1), (2, 2), (3, 1)]


def test_registering_again_changes_nothing(log: Log) -> None:
    log.do(Register("s", V1), Register("s", V2))
    assert decide(log.state, Register("s", json.dumps(json.loads(V1), indent=2))) == []


def test_same_schema_has_one_id_everywhere(log: Log) -> None:
    log.do(Register("s", V1), Register("s", V2), Register("t", V2))
    assert place(log, "t", V2) == (2, 1)


@pytest.mark.parametrize(
    ("level", "registered", "new", "is_allowed"),
    [
        (Level.BACKWARD, [V1], V2, True),
        (Level.BACKWARD, [V1], user("a", "b", default=None), False),
        (Level.NONE, [V1], OTHER, True),
        (Level.FORWARD, [V1], user("a", "b", default=None), True),
        (Level.FORWARD, [user("a", "b", default=None)], V1, False),
        (Level.FULL, [V1], V2, True),
        (Level.FULL, [V1], user("a", "b", default=None), False),
        # c was there, gone, and comes back as a number: the latest does not mind, an earlier one does.
        (Level.BACKWARD, [V3, V2], V3.replace('"c", "type": "string"', '"c", "type": ["int"]'), False),
    ],
)
def test_level_decides(log: Log, level: Level, registered: list[str], new: str, is_allowed: bool) -> None:
    log.do(SetLevel("s", Level.NONE), *(Register("s", schema) for schema in registered), SetLevel("s", level))
    outcome = log.do(Register("s", new))
    assert (outcome is None) is is_allowed
    assert outcome is None or "details: [{errorType:" in outcome.message or "Invalid schema" in outcome.message


@pytest.mark.parametrize(("level", "is_allowed"), [(Level.BACKWARD, True), (Level.BACKWARD_TRANSITIVE, False)])
def test_transitive_levels_ask_about_all_versions(log: Log, level: Level, is_allowed: bool) -> None:
    """A field that was a string, went, and comes back as a number can read the latest version, not the first."""
    back_as_number = json.loads(V1)
    back_as_number["fields"].append({"name": "b", "type": "int", "default": 0})
    log.do(Register("s", V2), Register("s", V1), SetLevel("s", level))
    outcome = log.do(Register("s", json.dumps(back_as_number)))
    assert (outcome is None) is is_allowed


def test_level_of_the_subject_goes_before_the_global_one(log: Log) -> None:
    assert log.state.level("s") is Level.BACKWARD
    log.do(SetLevel(None, Level.FULL))
    assert log.state.level("s") is Level.FULL
    log.do(SetLevel("s", Level.NONE))
    assert log.state.level("s") is Level.NONE
    log.do(SetLevel("s", None), SetLevel(None, None))
    assert log.state.level("s") is Level.BACKWARD


def test_check_changes_nothing_and_names_the_version(log: Log) -> None:
    log.do(Register("s", V1))
    messages = check(log.state, "s", OTHER, asked_about(log.state, "s"))
    assert isinstance(messages, list)
    assert "{oldSchemaVersion: 1}" in messages
    assert messages[-1] == "{compatibility: 'BACKWARD'}"
    assert check(log.state, "unknown", OTHER, asked_about(log.state, "unknown")) == []


REJECTED = {
    "invalid schema": ([], Register("s", "{"), ErrorCode.INVALID_SCHEMA),
    "too large": ([], Register("s", user("a" * 900_000)), ErrorCode.SCHEMA_TOO_LARGE),
    "incompatible": ([Register("s", V1)], Register("s", OTHER), ErrorCode.INCOMPATIBLE_SCHEMA),
    "delete unknown subject": ([], DeleteSubject("s"), ErrorCode.SUBJECT_NOT_FOUND),
    "delete unknown version": ([Register("s", V1)], DeleteVersion("s", 2), ErrorCode.VERSION_NOT_FOUND),
    "erase live subject": ([Register("s", V1)], DeleteSubject("s", True), ErrorCode.SUBJECT_NOT_SOFT_DELETED),
    "erase live version": ([Register("s", V1)], DeleteVersion("s", 1, True), ErrorCode.VERSION_NOT_SOFT_DELETED),
    "delete subject twice": (
        [Register("s", V1), DeleteSubject("s")],
        DeleteSubject("s"),
        ErrorCode.SUBJECT_SOFT_DELETED,
    ),
    "delete version twice": (
        [Register("s", V1), DeleteVersion("s", 1)],
        DeleteVersion("s", 1),
        ErrorCode.VERSION_SOFT_DELETED,
    ),
}


@pytest.mark.parametrize(("before", "request_", "code"), REJECTED.values(), ids=REJECTED.keys())
def test_refusal_has_confluents_code(log: Log, before: list[Request], request_: Request, code: ErrorCode) -> None:
    assert log.do(*before) is None
    outcome = log.do(request_)
    assert isinstance(outcome, Rejection)
    assert outcome.code is code


def test_lookup_tells_unknown_subject_from_unknown_schema(log: Log) -> None:
    log.do(Register("s", V1))
    outcomes = [find(log.state, "t", V1), find(log.state, "s", V2)]
    codes = [outcome.code for outcome in outcomes if isinstance(outcome, Rejection)]
    assert codes == [ErrorCode.SUBJECT_NOT_FOUND, ErrorCode.SCHEMA_NOT_FOUND]


def test_softly_deleted_schema_is_still_read_by_id(log: Log) -> None:
    log.do(Register("s", V1), DeleteSubject("s"))
    assert log.state.live("s") == []
    assert [stored.deleted for stored in log.state.with_id(1)] == [True]


def test_schema_that_returns_keeps_its_id_and_gets_a_new_version(log: Log) -> None:
    log.do(Register("s", V1), DeleteSubject("s"), Register("s", V1))
    assert place(log, "s", V1) == (1, 2)


def test_deleted_versions_are_not_asked_about(log: Log) -> None:
    assert log.do(Register("s", V1), DeleteSubject("s"), Register("s", OTHER)) is None


def test_erased_schema_is_gone_and_its_id_not_used_again(log: Log) -> None:
    log.do(Register("s", V1), Register("t", OTHER), DeleteSubject("s"), DeleteSubject("s", True))
    assert log.state.with_id(1) == []
    log.do(Register("s", V1))
    assert place(log, "s", V1) == (3, 1)


def test_deleting_a_subject_forgets_its_level(log: Log) -> None:
    log.do(Register("s", V1), SetLevel("s", Level.FULL), DeleteSubject("s"))
    assert log.state.level("s") is Level.BACKWARD


def test_replay_gives_the_same_state(log: Log) -> None:
    log.do(Register("s", V1), Register("s", V2), Register("t", V1), DeleteVersion("s", 1), SetLevel("t", Level.FULL))
    log.do(DeleteSubject("t"), DeleteSubject("t", True), Register("t", OTHER))
    replayed = State()
    for event in log.events:
        evolve(replayed, event)
    assert replayed == log.state


def test_topic_may_hold_what_no_decision_made() -> None:
    """Compaction leaves deletions without what they deleted, and other registries write other types."""
    state = State()
    evolve(state, SchemaErased("s", 1))
    evolve(state, SubjectDeleted("s", 3))
    evolve(state, SchemaStored("p", 1, 7, 'syntax = "proto3";', schema_type="PROTOBUF"))
    assert [stored.schema for stored in state.with_id(7)] == ['syntax = "proto3";']
    outcome = decide(state, Register("p", OTHER))
    assert isinstance(outcome, Rejection)
    assert outcome.code is ErrorCode.INCOMPATIBLE_SCHEMA
