"""Events as records of the topic `_schemas`, in Confluent's format.

A key is JSON without spaces whose members stand in a fixed order, since compaction compares its bytes. What other
registries also keep there (modes, contexts, markers) is passed over.
"""

import logging

import msgspec

from tailrace.registry.compatibility import Level
from tailrace.registry.store import Event, LevelSet, SchemaErased, SchemaStored, SubjectDeleted

log = logging.getLogger(__name__)


class SchemaKey(msgspec.Struct, tag_field="keytype", tag="SCHEMA"):
    """Key of one version of a subject."""

    subject: str
    version: int
    magic: int = 1


class ConfigKey(msgspec.Struct, tag_field="keytype", tag="CONFIG"):
    """Key of a compatibility level; without a subject it is the global one."""

    subject: str | None = None
    magic: int = 0


class DeleteSubjectKey(msgspec.Struct, tag_field="keytype", tag="DELETE_SUBJECT"):
    """Key of a subject's soft deletion."""

    subject: str
    magic: int = 0


class SchemaValue(msgspec.Struct, rename="camel", kw_only=True):
    """One version of a subject; without a type it is Avro."""

    subject: str
    version: int
    id: int
    schema_type: str | msgspec.UnsetType = msgspec.UNSET
    schema: str
    deleted: bool = False


class ConfigValue(msgspec.Struct, rename="camel"):
    """A compatibility level."""

    compatibility_level: Level


class DeleteSubjectValue(msgspec.Struct):
    """The last version that a soft deletion of a subject covers."""

    subject: str
    version: int


Key = SchemaKey | ConfigKey | DeleteSubjectKey

_keytype = msgspec.json.Decoder(dict[str, msgspec.Raw])
_key = msgspec.json.Decoder(Key)
_schema_value = msgspec.json.Decoder(SchemaValue)
_config_value = msgspec.json.Decoder(ConfigValue)
_delete_subject_value = msgspec.json.Decoder(DeleteSubjectValue)
KNOWN = {b'"SCHEMA"', b'"CONFIG"', b'"DELETE_SUBJECT"'}


def encode(event: Event) -> tuple[bytes, bytes | None]:
    """Give the key and the value of the record that stands for an event."""
    key, value = _record(event)
    return msgspec.json.encode(key), None if value is None else msgspec.json.encode(value)


def decode(key: bytes | None, value: bytes | None) -> Event | None:
    """Give the event of a record; None when it means nothing to this registry."""
    try:
        if key is None or bytes(_keytype.decode(key).get("keytype", b"")) not in KNOWN:
            return None
        return _event(_key.decode(key), value)
    except msgspec.DecodeError as error:
        log.warning("the schemas topic holds a record that cannot be read: key %r, value %r: %s", key, value, error)
        return None


def _record(event: Event) -> tuple[Key, msgspec.Struct | None]:
    match event:
        case SchemaStored():
            value = SchemaValue(
                subject=event.subject,
                version=event.version,
                id=event.id,
                schema_type=msgspec.UNSET if event.schema_type == "AVRO" else event.schema_type,
                schema=event.schema,
                deleted=event.deleted,
            )
            return SchemaKey(event.subject, event.version), value
        case SchemaErased():
            return SchemaKey(event.subject, event.version), None
        case SubjectDeleted():
            return DeleteSubjectKey(event.subject), DeleteSubjectValue(event.subject, event.version)
        case LevelSet():
            return ConfigKey(event.subject), ConfigValue(event.level) if event.level else None


def _event(key: Key, value: bytes | None) -> Event | None:
    match key:
        case SchemaKey():
            if value is None:
                return SchemaErased(key.subject, key.version)
            stored = _schema_value.decode(value)
            kind = stored.schema_type or "AVRO"
            return SchemaStored(key.subject, key.version, stored.id, stored.schema, stored.deleted, kind)
        case ConfigKey():
            return LevelSet(key.subject, None if value is None else _config_value.decode(value).compatibility_level)
        case DeleteSubjectKey() if value is not None:
            return SubjectDeleted(key.subject, _delete_subject_value.decode(value).version)
    return None
