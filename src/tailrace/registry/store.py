"""The registry's state, as a function of the records in its topic.

`decide` judges a request and gives the events it leads to; `evolve` alone changes the state, live and on replay.
Neither knows the topic or HTTP.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import msgspec

from tailrace.registry.compatibility import Level, explain
from tailrace.registry.errors import ErrorCode, Rejection
from tailrace.registry.schema import InvalidSchema, Schema, normal, parse

DEFAULT_LEVEL = Level.BACKWARD
SCHEMA_BYTES_MAX = 900_000
"""Of a schema as a JSON string, so that its record stays below Kafka's usual limit of a megabyte."""


@dataclass(frozen=True, slots=True)
class SchemaStored:
    """A subject has this schema as this version; stored again with `deleted` when softly deleted."""

    subject: str
    version: int
    id: int
    schema: str
    deleted: bool = False
    schema_type: str = "AVRO"


@dataclass(frozen=True, slots=True)
class SchemaErased:
    """A version of a subject is permanently gone."""

    subject: str
    version: int


@dataclass(frozen=True, slots=True)
class SubjectDeleted:
    """A subject's versions up to this one, inclusive, are softly deleted."""

    subject: str
    version: int


@dataclass(frozen=True, slots=True)
class LevelSet:
    """The compatibility level of a subject, or with None the global one; no level: back to the default."""

    subject: str | None
    level: Level | None


Event = SchemaStored | SchemaErased | SubjectDeleted | LevelSet


@dataclass(frozen=True, slots=True)
class Register:
    """Make a schema the next version of a subject, unless the subject has it already."""

    subject: str
    schema: str


@dataclass(frozen=True, slots=True)
class SetLevel:
    """Set a compatibility level; `subject` None means the global one, `level` None the default."""

    subject: str | None
    level: Level | None


@dataclass(frozen=True, slots=True)
class DeleteSubject:
    """Delete all versions of a subject: softly first, then, on a second request, permanently."""

    subject: str
    permanent: bool = False


@dataclass(frozen=True, slots=True)
class DeleteVersion:
    """Delete one version of a subject: softly first, then, on a second request, permanently."""

    subject: str
    version: int
    permanent: bool = False


Request = Register | SetLevel | DeleteSubject | DeleteVersion


@dataclass(slots=True)
class State:
    """What is registered. `versions[subject][version]`, versions ascending and counted from 1."""

    versions: dict[str, dict[int, SchemaStored]] = field(default_factory=dict)
    id_by_text: dict[str, int] = field(default_factory=dict)
    places_by_id: dict[int, set[tuple[str, int]]] = field(default_factory=dict)
    levels: dict[str | None, Level] = field(default_factory=dict)
    last_id: int = 0

    def level(self, subject: str) -> Level:
        """The level that counts for a subject: its own, else the global one, else BACKWARD."""
        return self.levels.get(subject) or self.levels.get(None) or DEFAULT_LEVEL

    def live(self, subject: str) -> list[SchemaStored]:
        """The versions of a subject that are not deleted, oldest first."""
        return [stored for stored in self.versions.get(subject, {}).values() if not stored.deleted]

    def with_id(self, schema_id: int) -> list[SchemaStored]:
        """Every place where a schema is registered, deleted ones included; empty when the id is unknown."""
        places = sorted(self.places_by_id.get(schema_id, ()))
        return [self.versions[subject][version] for subject, version in places]


def decide(state: State, request: Request) -> Sequence[Event] | Rejection:
    """Give the events that carry out a request (none when there is nothing to do), or say why not."""
    match request:
        case Register():
            return _register(state, request)
        case SetLevel():
            return [LevelSet(request.subject, request.level)]
        case DeleteSubject():
            return _delete_subject(state, request)
        case DeleteVersion():
            return _delete_version(state, request)


def evolve(state: State, event: Event) -> None:
    """Apply an event. Must accept whatever the topic holds, in the topic's order."""
    match event:
        case SchemaStored():
            _store(state, event)
        case SchemaErased():
            _erase(state, event)
        case SubjectDeleted():
            for stored in state.live(event.subject):
                if stored.version <= event.version:
                    state.versions[event.subject][stored.version] = replace(stored, deleted=True)
        case LevelSet():
            state.levels.pop(event.subject, None)
            if event.level is not None:
                state.levels[event.subject] = event.level


def find(state: State, subject: str, schema: str, *, deleted: bool = False) -> SchemaStored | Rejection:
    """Find the newest version under which a subject has a schema."""
    text = normal_text(schema)
    if isinstance(text, Rejection):
        return text
    if subject not in state.versions or not (deleted or state.live(subject)):
        return subject_not_found(subject)
    for stored in reversed(state.versions[subject].values()):
        if stored.id == state.id_by_text.get(text) and (deleted or not stored.deleted):
            return stored
    return Rejection(ErrorCode.SCHEMA_NOT_FOUND, f"Schema not found in subject '{subject}'")


def check(state: State, subject: str, schema: str, against: Sequence[SchemaStored]) -> list[str] | Rejection:
    """Say what the subject's level forbids between a schema and versions of the subject; empty if nothing."""
    text = normal_text(schema)
    if isinstance(text, Rejection):
        return text
    level = state.level(subject)
    new = _parsed(text)
    messages: list[str] = []
    for stored in against:
        differences = _differences(new, stored, level)
        if differences:
            messages += [*differences, f"{{oldSchemaVersion: {stored.version}}}", f"{{oldSchema: '{stored.schema}'}}"]
    return [*messages, f"{{compatibility: '{level}'}}"] if messages else []


def asked_about(state: State, subject: str) -> Sequence[SchemaStored]:
    """Give the versions that a subject's level compares its next schema with."""
    level = state.level(subject)
    if level is Level.NONE:
        return ()
    return state.live(subject) if level.is_transitive else state.live(subject)[-1:]


def subject_not_found(subject: str) -> Rejection:
    """The rejection of a request that names an unknown subject."""
    return Rejection(ErrorCode.SUBJECT_NOT_FOUND, f"Subject '{subject}' not found.")


@lru_cache(maxsize=1000)
def normal_text(schema: str) -> str | Rejection:
    """Put a schema into the form in which schemas are stored and compared."""
    try:
        return normal(parse(schema))
    except InvalidSchema as error:
        return Rejection(ErrorCode.INVALID_SCHEMA, f"Invalid schema: {error}")


def _differences(new: Schema, stored: SchemaStored, level: Level) -> list[str]:
    try:
        return explain(new, _parsed(stored.schema), level) if level is not Level.NONE else []
    except InvalidSchema as error:
        return [f"{{description:'the old schema cannot be compared with: {stored.schema_type}, {error}'}}"]


@lru_cache(maxsize=1000)
def _parsed(text: str) -> Schema:
    return parse(text)


def _register(state: State, request: Register) -> Sequence[Event] | Rejection:
    text = normal_text(request.schema)
    if isinstance(text, Rejection):
        return text
    if (size := len(msgspec.json.encode(text))) > SCHEMA_BYTES_MAX:
        message = f"Schema of {size:,} bytes is too large; expected at most {SCHEMA_BYTES_MAX:,}"
        return Rejection(ErrorCode.SCHEMA_TOO_LARGE, message)
    known_id = state.id_by_text.get(text)
    if any(stored.id == known_id for stored in state.live(request.subject)):
        return []
    messages = check(state, request.subject, text, asked_about(state, request.subject))
    if isinstance(messages, Rejection):
        return messages
    if messages:
        head = f'Schema being registered is incompatible with an earlier schema for subject "{request.subject}"'
        return Rejection(ErrorCode.INCOMPATIBLE_SCHEMA, f"{head}, details: [{', '.join(messages)}]")
    version = max(state.versions.get(request.subject, ()), default=0) + 1
    return [SchemaStored(request.subject, version, known_id or state.last_id + 1, text)]


def _delete_subject(state: State, request: DeleteSubject) -> Sequence[Event] | Rejection:
    subject, versions = request.subject, state.versions.get(request.subject)
    live = state.live(subject)
    if not versions:
        return subject_not_found(subject)
    if request.permanent:
        if live:
            message = f"Subject '{subject}' was not deleted first before being permanently deleted"
            return Rejection(ErrorCode.SUBJECT_NOT_SOFT_DELETED, message)
        return [SchemaErased(subject, version) for version in versions]
    if not live:
        message = f"Subject '{subject}' was soft deleted. Set permanent=true to delete permanently"
        return Rejection(ErrorCode.SUBJECT_SOFT_DELETED, message)
    forget = [LevelSet(subject, None)] if subject in state.levels else []
    return [SubjectDeleted(subject, live[-1].version), *forget]


def _delete_version(state: State, request: DeleteVersion) -> Sequence[Event] | Rejection:
    subject, version = request.subject, request.version
    stored = state.versions.get(subject, {}).get(version)
    if subject not in state.versions:
        return subject_not_found(subject)
    if stored is None:
        return Rejection(ErrorCode.VERSION_NOT_FOUND, f"Version {version} not found.")
    where = f"Subject '{subject}' Version {version}"
    if request.permanent:
        if not stored.deleted:
            message = f"{where} was not deleted first before being permanently deleted"
            return Rejection(ErrorCode.VERSION_NOT_SOFT_DELETED, message)
        return [SchemaErased(subject, version)]
    if stored.deleted:
        message = f"{where} was soft deleted. Set permanent=true to delete permanently"
        return Rejection(ErrorCode.VERSION_SOFT_DELETED, message)
    return [replace(stored, deleted=True)]


def _store(state: State, event: SchemaStored) -> None:
    _erase(state, SchemaErased(event.subject, event.version))
    versions = state.versions.get(event.subject, {})
    versions[event.version] = event
    state.versions[event.subject] = dict(sorted(versions.items()))
    text = normal_text(event.schema) if event.schema_type == "AVRO" else event.schema
    state.id_by_text.setdefault(text if isinstance(text, str) else event.schema, event.id)
    state.places_by_id.setdefault(event.id, set()).add((event.subject, event.version))
    state.last_id = max(state.last_id, event.id)


def _erase(state: State, event: SchemaErased) -> None:
    versions = state.versions.get(event.subject, {})
    stored = versions.pop(event.version, None)
    if not versions:
        state.versions.pop(event.subject, None)
    if stored is None:
        return
    places = state.places_by_id[stored.id]
    places.discard((event.subject, event.version))
    if not places:
        del state.places_by_id[stored.id]
        state.id_by_text = {text: known for text, known in state.id_by_text.items() if known != stored.id}
