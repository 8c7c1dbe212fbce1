"""What the API answers when it refuses: `{"error": {"code", "message"}}`, with the status that belongs to the code."""

from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException


class Code(StrEnum):
    """Why a request was refused; part of the API, so none is ever renamed."""

    BAD_REQUEST = "bad_request"
    UNAUTHENTICATED = "unauthenticated"
    INVALID_CREDENTIALS = "invalid_credentials"
    CROSS_SITE = "cross_site"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    USERNAME_TAKEN = "username_taken"
    ACCOUNT_PENDING = "account_pending"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    BODY_TOO_LARGE = "body_too_large"
    INVALID_REQUEST = "invalid_request"
    TOO_MANY_REQUESTS = "too_many_requests"
    INTERNAL = "internal"
    UNAVAILABLE = "unavailable"
    STARTING = "starting"


STATUS: Mapping[Code, int] = MappingProxyType(
    {
        Code.BAD_REQUEST: 400,
        Code.UNAUTHENTICATED: 401,
        Code.INVALID_CREDENTIALS: 401,
        Code.CROSS_SITE: 403,
        Code.NOT_FOUND: 404,
        Code.METHOD_NOT_ALLOWED: 405,
        Code.USERNAME_TAKEN: 409,
        Code.ACCOUNT_PENDING: 409,
        Code.IDEMPOTENCY_CONFLICT: 409,
        Code.BODY_TOO_LARGE: 413,
        Code.INVALID_REQUEST: 422,
        Code.TOO_MANY_REQUESTS: 429,
        Code.INTERNAL: 500,
        Code.UNAVAILABLE: 503,
        Code.STARTING: 503,
    }
)


# What any request with a body may be answered.
BODY_ERRORS = (Code.BAD_REQUEST, Code.CROSS_SITE, Code.BODY_TOO_LARGE, Code.INVALID_REQUEST)


class Problem(BaseModel):
    """Why a request was refused: a code for programs, a message for people."""

    code: Code
    message: str


class ErrorBody(BaseModel):
    """The body of every answer that is not a success."""

    error: Problem


class Refusal(HTTPException):
    """A request that is answered with an error."""

    def __init__(self, code: Code, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(STATUS[code], message, headers)
        self.code = code


def error_response(code: Code, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Make the answer for an error."""
    return JSONResponse({"error": {"code": code, "message": message}}, STATUS[code], headers)


# Not `model`, for which FastAPI would claim the content type of a route's success. /health brings the schema in.
_CONTENT = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}}


def refuses(*codes: Code) -> dict[int | str, dict[str, Any]]:
    """Describe a route's errors for OpenAPI; those that any route may answer are added."""
    described: dict[int | str, dict[str, Any]] = {}
    for code in sorted({*codes, Code.INTERNAL, Code.STARTING}, key=lambda code: (STATUS[code], code)):
        entry = described.setdefault(STATUS[code], {"content": _CONTENT, "description": ""})
        entry["description"] = " or ".join(filter(None, [entry["description"], f"`{code}`"]))
    return described


def answer_errors(app: FastAPI) -> None:
    """Give every error of the application the API's shape, those of the framework included."""
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _internal)


def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if isinstance(error, Refusal):
        return error_response(error.code, error.detail, error.headers)
    if error.status_code == HTTPStatus.NOT_FOUND:
        return error_response(Code.NOT_FOUND, f"there is nothing at {request.url.path}")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        message = f"{request.url.path} does not take {request.method}"
        return error_response(Code.METHOD_NOT_ALLOWED, message, error.headers)
    return error_response(Code.BAD_REQUEST, str(error.detail), error.headers)


def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return error_response(Code.BAD_REQUEST, "the body is not JSON")
    where = ".".join(str(part) for part in first["loc"][1:]) or "the body"
    return error_response(Code.INVALID_REQUEST, f"{where}: {first['msg']}")


def _internal(request: Request, error: Exception) -> JSONResponse:
    return error_response(Code.INTERNAL, "something went wrong on our side; nothing was booked twice, try again")
