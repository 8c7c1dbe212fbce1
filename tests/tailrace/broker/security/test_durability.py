"""Users and ACLs are as durable as records: they come back from the journal and from a checkpoint."""

import asyncio
from pathlib import Path

import pytest

from tailrace.broker.broker import Broker
from tailrace.broker.events import AclsCreated, AclsDeleted, CredentialDeleted, CredentialSet
from tailrace.broker.security.config import Mechanism
from tailrace.broker.security.credentials import credential

from ..conftest import running
from .test_acls import TOPIC_A, changed

TOPIC_B = changed(resource_name="b")


def alice(mechanism: Mechanism, password: str = "secret") -> CredentialSet:
    return CredentialSet(credential("alice", mechanism, password, b"salt", 4096))


def state_of(broker: Broker) -> tuple[list[object], list[object]]:
    return list(broker.state.users), list(broker.state.acls)


@pytest.mark.parametrize("is_stopped", [False, True], ids=["killed", "stopped"])
def test_they_are_there_after_a_restart(tmp_path: Path, is_stopped: bool) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            broker.record(events=[alice(Mechanism.SCRAM_SHA_256), alice(Mechanism.SCRAM_SHA_512)])
            broker.record(events=[alice(Mechanism.SCRAM_SHA_256, "another")])
            broker.record(events=[CredentialDeleted("alice", Mechanism.SCRAM_SHA_512)])
            broker.record(events=[AclsCreated([TOPIC_A, TOPIC_B]), AclsDeleted([TOPIC_A])])
            await broker.commit.durable()
            before = state_of(broker)
            assert before == ([alice(Mechanism.SCRAM_SHA_256, "another").credential], [TOPIC_B])
            if is_stopped:
                await broker.commit.stop(10)
        for _ in range(2):
            async with running(tmp_path) as broker:
                assert state_of(broker) == before

    asyncio.run(scenario())


def test_no_password_is_written(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as broker:
            broker.record(events=[alice(Mechanism.SCRAM_SHA_256, "a very secret password")])
            await broker.commit.stop(10)

    asyncio.run(scenario())
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"alice" in written
    assert b"secret password" not in written
