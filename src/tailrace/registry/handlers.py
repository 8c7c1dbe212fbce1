"""What each endpoint does: a query or a decision, and the body that tells its outcome.

Bodies are values for JSON, or a Rejection. The rules are in `store`.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request

from tailrace.registry.compatibility import Level
from tailrace.registry.errors import ErrorCode, Rejection
from tailrace.registry.log import SchemaLog
from tailrace.registry.store import (
    DEFAULT_LEVEL,
    DeleteSubject,
    DeleteVersion,
    Register,
    SchemaStored,
    SetLevel,
    State,
    asked_about,
    check,
    find,
    subject_not_found,
)

T = TypeVar("T")

VERSION_MAX = 2**31 - 1
MODE = "READWRITE"


class SchemaBody(msgspec.Struct, rename="camel"):
    """The body of a request that carries a schema."""

    schema: str
    schema_type: str | None = None
    references: list[Any] | None = None


class LevelBody(msgspec.Struct):
    """The body of a request that sets a compatibility level."""

    compatibility: str | None = None


class Handlers:
    """One method for each endpoint, named for what it does."""

    def __init__(self, schemas: SchemaLog) -> None:
        self._schemas = schemas

    async def root(self, request: Request) -> object:
        """Say that the registry is there."""
        return {}

    async def list_contexts(self, request: Request) -> object:
        """Name the contexts: the default one only."""
        return ["."]

    async def list_subjects(self, request: Request) -> object:
        """Name the subjects with versions: those not deleted, with `deleted` all, with `deletedOnly` the others."""
        prefix = request.query_params.get("subjectPrefix", "")
        every, only = _flag(request, "deleted"), _flag(request, "deletedOnly")

        def query(state: State) -> list[str]:
            return [
                s for s in sorted(state.versions) if s.startswith(prefix) and (every or only != bool(state.live(s)))
            ]

        return self._schemas.read(query)

    async def look_up(self, request: Request) -> object:
        """Find the version under which a subject has a schema."""
        subject, schema = _subject(request), await _schema(request)
        if isinstance(schema, Rejection):
            return schema
        deleted = _flag(request, "deleted")
        found = await self._find(lambda state: find(state, subject, schema, deleted=deleted))
        return found if isinstance(found, Rejection) else _version_body(found)

    async def register(self, request: Request) -> object:
        """Register a schema under a subject, and give its id."""
        subject, schema = _subject(request), await _schema(request)
        if isinstance(schema, Rejection):
            return schema
        outcome = await run_in_threadpool(self._schemas.submit, Register(subject, schema))
        if isinstance(outcome, Rejection):
            return outcome
        found = self._schemas.read(lambda state: find(state, subject, schema))
        return found if isinstance(found, Rejection) else {"id": found.id}

    async def delete_subject(self, request: Request) -> object:
        """Delete a subject, and give the versions that went."""
        subject, permanent = _subject(request), _flag(request, "permanent")

        def versions(state: State) -> list[int]:
            return list(state.versions.get(subject, ())) if permanent else [v.version for v in state.live(subject)]

        before = self._schemas.read(versions)
        outcome = await run_in_threadpool(self._schemas.submit, DeleteSubject(subject, permanent))
        return outcome if isinstance(outcome, Rejection) else before

    async def list_versions(self, request: Request) -> object:
        """Number the versions of a subject."""
        subject, deleted = _subject(request), _flag(request, "deleted")

        def query(state: State) -> list[int] | Rejection:
            versions = [v.version for v in state.versions.get(subject, {}).values() if deleted or not v.deleted]
            return versions or subject_not_found(subject)

        return await self._find(query)

    async def get_version(self, request: Request) -> object:
        """Give one version of a subject."""
        found = await self._version(request)
        return found if isinstance(found, Rejection) else _version_body(found)

    async def get_version_schema(self, request: Request) -> object:
        """Give the schema of one version of a subject, as it is."""
        found = await self._version(request)
        return found if isinstance(found, Rejection) else msgspec.Raw(found.schema.encode())

    async def delete_version(self, request: Request) -> object:
        """Delete one version of a subject, and give its number."""
        permanent = _flag(request, "permanent")
        found = await self._version(request, deleted=True)
        if isinstance(found, Rejection):
            return found
        deletion = DeleteVersion(found.subject, found.version, permanent)
        outcome = await run_in_threadpool(self._schemas.submit, deletion)
        return outcome if isinstance(outcome, Rejection) else found.version

    async def list_referencing(self, request: Request) -> object:
        """Give the ids of the schemas that refer to a version: none, since references are not accepted."""
        found = await self._version(request)
        return found if isinstance(found, Rejection) else []

    async def list_schemas(self, request: Request) -> object:
        """Give all versions of all subjects, or with `latestOnly` the newest of each."""
        prefix = request.query_params.get("subjectPrefix", "")
        deleted, latest = _flag(request, "deleted"), _flag(request, "latestOnly")

        def query(state: State) -> list[SchemaStored]:
            found: list[SchemaStored] = []
            for subject in sorted(s for s in state.versions if s.startswith(prefix)):
                versions = list(state.versions[subject].values()) if deleted else state.live(subject)
                found += versions[-1:] if latest else versions
            return found

        return [_version_body(stored) for stored in self._schemas.read(query)]

    async def list_types(self, request: Request) -> object:
        """Name the kinds of schemas that can be registered."""
        return ["AVRO"]

    async def get_schema(self, request: Request) -> object:
        """Give the schema of an id."""
        places = await self._places(request)
        return places if isinstance(places, Rejection) else {"schema": places[0].schema} | _schema_type(places[0])

    async def get_schema_text(self, request: Request) -> object:
        """Give the schema of an id, as it is."""
        places = await self._places(request)
        return places if isinstance(places, Rejection) else msgspec.Raw(places[0].schema.encode())

    async def list_subjects_with_id(self, request: Request) -> object:
        """Name the subjects that have the schema of an id."""
        places = await self._live_places(request)
        return places if isinstance(places, Rejection) else list(dict.fromkeys(place.subject for place in places))

    async def list_versions_with_id(self, request: Request) -> object:
        """Give the versions, in all subjects, that have the schema of an id."""
        places = await self._live_places(request)
        if isinstance(places, Rejection):
            return places
        return [{"subject": place.subject, "version": place.version} for place in places]

    async def check_against_all(self, request: Request) -> object:
        """Say whether a schema may become a subject's next version."""
        subject, schema = _subject(request), await _schema(request)
        if isinstance(schema, Rejection):
            return schema
        messages = self._schemas.read(lambda state: check(state, subject, schema, asked_about(state, subject)))
        return _verdict(request, messages)

    async def check_against_one(self, request: Request) -> object:
        """Say whether a schema fits to one version of a subject."""
        subject, schema = _subject(request), await _schema(request)
        if isinstance(schema, Rejection):
            return schema
        found = await self._version(request)
        if isinstance(found, Rejection):
            return found
        return _verdict(request, self._schemas.read(lambda state: check(state, subject, schema, [found])))

    async def get_level(self, request: Request) -> object:
        """Give the compatibility level of a subject, or without one the global level."""
        subject = request.path_params.get("subject")
        if subject is None:
            level: Level | None = self._schemas.read(lambda state: state.levels.get(None, DEFAULT_LEVEL))
        elif _flag(request, "defaultToGlobal"):
            level = self._schemas.read(lambda state: state.level(subject))
        else:
            level = self._schemas.read(lambda state: state.levels.get(subject))
        return _no_level(subject) if level is None else {"compatibilityLevel": level}

    async def set_level(self, request: Request) -> object:
        """Set a compatibility level."""
        body = await _body(request, LevelBody)
        if body.compatibility is None or body.compatibility not in Level.__members__:
            message = f"Invalid compatibility level {body.compatibility!r}. Valid values are {', '.join(Level)}"
            return Rejection(ErrorCode.INVALID_COMPATIBILITY_LEVEL, message)
        change = SetLevel(request.path_params.get("subject"), Level(body.compatibility))
        outcome = await run_in_threadpool(self._schemas.submit, change)
        return outcome if isinstance(outcome, Rejection) else {"compatibility": body.compatibility}

    async def clear_level(self, request: Request) -> object:
        """Return a compatibility level to its default, and give what it was."""
        subject = request.path_params.get("subject")
        before = self._schemas.read(lambda state: state.levels.get(subject))
        if before is None:
            return _no_level(subject) if subject is not None else {"compatibilityLevel": DEFAULT_LEVEL}
        outcome = await run_in_threadpool(self._schemas.submit, SetLevel(subject, None))
        return outcome if isinstance(outcome, Rejection) else {"compatibilityLevel": before}

    async def get_mode(self, request: Request) -> object:
        """Say that schemas may be read and written: there is no other mode yet."""
        subject = request.path_params.get("subject")
        if subject is not None and not _flag(request, "defaultToGlobal"):
            message = f"Subject '{subject}' does not have subject-level mode configured"
            return Rejection(ErrorCode.SUBJECT_MODE_NOT_FOUND, message)
        return {"mode": MODE}

    async def _find(self, query: Callable[[State], T | Rejection]) -> T | Rejection:
        """Look at once, and only when nothing is found again after catching up."""
        found = self._schemas.read(query)
        return await run_in_threadpool(self._schemas.read_fresh, query) if isinstance(found, Rejection) else found

    async def _version(self, request: Request, *, deleted: bool = False) -> SchemaStored | Rejection:
        subject, asked = _subject(request), _version_number(request)
        if isinstance(asked, Rejection):
            return asked
        deleted = deleted or _flag(request, "deleted")

        def query(state: State) -> SchemaStored | Rejection:
            versions = state.versions.get(subject, {}).values()
            found = {stored.version: stored for stored in versions if deleted or not stored.deleted}
            if not found:
                return subject_not_found(subject)
            missing = Rejection(ErrorCode.VERSION_NOT_FOUND, f"Version {asked} not found.")
            return found[max(found)] if asked is None else found.get(asked, missing)

        return await self._find(query)

    async def _places(self, request: Request) -> list[SchemaStored] | Rejection:
        text = request.path_params["id"]

        def query(state: State) -> list[SchemaStored] | Rejection:
            missing = Rejection(ErrorCode.SCHEMA_NOT_FOUND, f"Schema {text} not found")
            return (state.with_id(int(text)) if text.isdecimal() else []) or missing

        return await self._find(query)

    async def _live_places(self, request: Request) -> list[SchemaStored] | Rejection:
        places = await self._places(request)
        if isinstance(places, Rejection) or _flag(request, "deleted"):
            return places
        return [place for place in places if not place.deleted]


def _flag(request: Request, name: str) -> bool:
    return request.query_params.get(name, "").lower() == "true"


def _subject(request: Request) -> str:
    return str(request.path_params["subject"])


def _version_number(request: Request) -> int | Rejection | None:
    """The version asked for; None is the latest."""
    text = request.path_params["version"]
    if text in ("latest", "-1"):
        return None
    if text.isdecimal() and 1 <= int(text) <= VERSION_MAX:
        return int(text)
    allowed = f'Allowed values are between [1, {VERSION_MAX}] and the string "latest"'
    return Rejection(ErrorCode.INVALID_VERSION, f"The specified version '{text}' is not a valid version id. {allowed}")


B = TypeVar("B", bound=msgspec.Struct)


async def _body(request: Request, kind: type[B]) -> B:
    try:
        return msgspec.json.decode(await request.body(), type=kind)
    except msgspec.DecodeError as error:
        raise HTTPException(400, f"Unable to process JSON: {error}") from error


async def _schema(request: Request) -> str | Rejection:
    body = await _body(request, SchemaBody)
    if body.schema_type not in (None, "AVRO"):
        return Rejection(ErrorCode.INVALID_SCHEMA, f"Invalid schema type {body.schema_type}; only AVRO is supported")
    if body.references:
        return Rejection(ErrorCode.INVALID_SCHEMA, "Schema references are not supported; include the types instead")
    return body.schema


def _version_body(stored: SchemaStored) -> dict[str, object]:
    body: dict[str, object] = {"subject": stored.subject, "version": stored.version, "id": stored.id}
    return body | {"schema": stored.schema} | _schema_type(stored)


def _schema_type(stored: SchemaStored) -> dict[str, object]:
    return {} if stored.schema_type == "AVRO" else {"schemaType": stored.schema_type}


def _verdict(request: Request, messages: list[str] | Rejection) -> object:
    if isinstance(messages, Rejection):
        return messages
    verdict: dict[str, object] = {"is_compatible": not messages}
    return verdict | {"messages": messages} if _flag(request, "verbose") else verdict


def _no_level(subject: str | None) -> Rejection:
    message = f"Subject '{subject}' does not have subject-level compatibility configured"
    return Rejection(ErrorCode.SUBJECT_CONFIG_NOT_FOUND, message)
