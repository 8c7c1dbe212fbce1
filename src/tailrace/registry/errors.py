"""What can go wrong with a registry: codes on the wire, and the exceptions of its clients.

RegistryError
├── RegistryUnreachable   no answer within the client's patience; trying again later may help
├── SchemaNotFound        no such subject, version or id
├── IncompatibleSchema    the subject's compatibility level forbids the schema
└── SerdeError            these bytes, or this value, cannot be converted; trying again cannot help
"""

from dataclasses import dataclass
from enum import IntEnum


class ErrorCode(IntEnum):
    """Confluent's codes; the first three digits are the HTTP status."""

    SUBJECT_NOT_FOUND = 40401
    VERSION_NOT_FOUND = 40402
    SCHEMA_NOT_FOUND = 40403
    SUBJECT_SOFT_DELETED = 40404
    SUBJECT_NOT_SOFT_DELETED = 40405
    VERSION_SOFT_DELETED = 40406
    VERSION_NOT_SOFT_DELETED = 40407
    SUBJECT_CONFIG_NOT_FOUND = 40408
    SUBJECT_MODE_NOT_FOUND = 40409
    INCOMPATIBLE_SCHEMA = 40901
    INVALID_SCHEMA = 42201
    INVALID_VERSION = 42202
    INVALID_COMPATIBILITY_LEVEL = 42203
    SCHEMA_TOO_LARGE = 42209
    STORE_ERROR = 50001
    STORE_TIMEOUT = 50002

    @property
    def status(self) -> int:
        """The HTTP status of an answer with this code."""
        return self.value // 100


@dataclass(frozen=True, slots=True)
class Rejection:
    """An expected outcome: the registry answers a request with this instead of doing it."""

    code: ErrorCode
    message: str


class RegistryError(Exception):
    """Base of what a registry client or serde raises; `code` is the registry's own, where it gave one."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class RegistryUnreachable(RegistryError):
    """The registry did not answer within the client's patience."""


class SchemaNotFound(RegistryError):
    """There is no such subject, version or id."""


class IncompatibleSchema(RegistryError):
    """The subject's compatibility level forbids the schema; the message names the differences."""


class SerdeError(RegistryError):
    """A value cannot be encoded, or bytes cannot be decoded, however often it is tried."""
