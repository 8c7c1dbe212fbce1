"""The exchange of one connection: every request in every stage."""

from __future__ import annotations

import pytest
from kio.schema.errors import ErrorCode

from tailrace.broker.dispatch import TABLE
from tailrace.broker.security.authentication import Authentication, Stage
from tailrace.broker.security.config import Mechanism
from tailrace.broker.security.credentials import credential
from tailrace.broker.security.exchange import Rejected
from tailrace.broker.security.users import Users

USERS = Users(credential(user, Mechanism.SCRAM_SHA_256, "secret", b"salt", 4096) for user in ("alice", "bob"))
MECHANISMS = (Mechanism.PLAIN, Mechanism.SCRAM_SHA_256)


def new() -> Authentication:
    return Authentication(mechanisms=MECHANISMS, users=USERS)


def in_stage(stage: Stage) -> Authentication:
    authentication = new()
    if stage is not Stage.HANDSHAKE:
        assert authentication.choose("PLAIN", bare_tokens=stage is Stage.BARE_TOKENS) is ErrorCode.none
    if stage is Stage.OPEN:
        authentication.step(b"\0alice\0secret")
    if stage is Stage.FAILED:
        with pytest.raises(Rejected):
            authentication.step(b"\0alice\0wrong")
    assert authentication.stage is stage
    return authentication


def test_what_is_admitted_in_each_stage() -> None:
    everything = {api.name for api in TABLE}
    admitted = {stage: {name for name in everything if in_stage(stage).admits(name)} for stage in Stage}
    assert admitted == {
        Stage.HANDSHAKE: {"api_versions", "sasl_handshake"},
        Stage.TOKENS: {"sasl_authenticate"},
        Stage.BARE_TOKENS: set(),
        Stage.OPEN: everything,
        Stage.FAILED: set(),
    }


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("bare_tokens", [False, True])
def test_a_mechanism_is_chosen_at_the_beginning_or_again(stage: Stage, bare_tokens: bool) -> None:
    authentication = in_stage(stage)
    error = authentication.choose("PLAIN", bare_tokens=bare_tokens)
    if stage in (Stage.HANDSHAKE, Stage.OPEN):
        assert error is ErrorCode.none
        assert authentication.stage is (Stage.BARE_TOKENS if bare_tokens else Stage.TOKENS)
    else:
        assert error is ErrorCode.illegal_sasl_state
        assert authentication.stage is stage


@pytest.mark.parametrize("mechanism", ["GSSAPI", "", "SCRAM-SHA-512", "plain"])
def test_a_mechanism_that_is_not_enabled_ends_it(mechanism: str) -> None:
    authentication = new()
    assert authentication.choose(mechanism, bare_tokens=False) is ErrorCode.unsupported_sasl_mechanism
    assert authentication.stage is Stage.FAILED


def test_a_connection_that_nobody_asks_for_a_name_is_open() -> None:
    authentication = Authentication()
    assert authentication.is_open
    assert authentication.principal == "User:ANONYMOUS"
    assert authentication.choose("PLAIN", bare_tokens=False) is ErrorCode.illegal_sasl_state
    assert authentication.is_open


def test_who_has_the_password_is_known() -> None:
    assert in_stage(Stage.OPEN).principal == "User:alice"


def test_nobody_is_known_before_the_end() -> None:
    assert {in_stage(stage).principal for stage in Stage if stage is not Stage.OPEN} == {"User:ANONYMOUS"}


def test_logging_in_again_must_give_the_same_name() -> None:
    authentication = in_stage(Stage.OPEN)
    authentication.choose("PLAIN", bare_tokens=False)
    authentication.step(b"\0alice\0secret")
    assert authentication.is_open
    authentication.choose("PLAIN", bare_tokens=False)
    with pytest.raises(Rejected, match="cannot become User:bob"):
        authentication.step(b"\0bob\0secret")
    assert (authentication.stage, authentication.principal) == (Stage.FAILED, "User:alice")


def test_logging_in_again_must_use_the_same_mechanism() -> None:
    authentication = in_stage(Stage.OPEN)
    assert authentication.choose("SCRAM-SHA-256", bare_tokens=False) is ErrorCode.unsupported_sasl_mechanism
    assert authentication.stage is Stage.FAILED
