"""Contracts and code say the same: every schema has its class, and evolves under BACKWARD."""

import json
from pathlib import Path

import msgspec
import pytest

from agio.contracts import events
from agio.contracts.topics import CONTRACTS
from tailrace.testing.registry import LocalRegistry


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.topic)
def test_class_and_schema_have_the_same_fields_in_the_same_order(contract):
    schema = json.loads(contract.schema)
    assert schema["name"] == contract.type.__name__
    assert [field["name"] for field in schema["fields"]] == [f.name for f in msgspec.structs.fields(contract.type)]
    assert all(field["doc"] for field in schema["fields"])


def test_every_schema_file_is_the_contract_of_a_topic():
    files = {path.stem for path in Path(events.__file__).parent.glob("*.avsc")}
    assert files == {contract.topic for contract in CONTRACTS}


def test_reasons_and_types_are_the_same_in_class_and_schema():
    by_topic = {contract.topic: json.loads(contract.schema) for contract in CONTRACTS}
    fields = {field["name"]: field["type"] for field in by_topic["rejected-transactions"]["fields"]}
    assert fields["reason"]["symbols"] == [reason.value for reason in events.Reason]
    assert fields["type"]["symbols"] == [kind.value for kind in events.TransactionType]


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.topic)
def test_a_field_without_default_cannot_be_added(contract):
    registry = LocalRegistry()
    registry.register(contract.subject, contract.schema)
    schema = json.loads(contract.schema)
    schema["fields"].append({"name": "added", "type": "string"})
    assert registry.check(contract.subject, json.dumps(schema))
    schema["fields"][-1]["default"] = ""
    assert not registry.check(contract.subject, json.dumps(schema))
