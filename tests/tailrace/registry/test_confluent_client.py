"""Confluent's own registry client and serializers work with our registry, and with our serdes."""

import json

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient, SchemaRegistryError
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from tailrace.registry.client import RegistryClient
from tailrace.registry.serde import AvroSerde

USER = {"type": "record", "name": "User", "fields": [{"name": "name", "type": "string"}]}
USER_V2 = {**USER, "fields": [*USER["fields"], {"name": "color", "type": "string", "default": "green"}]}
USER_BROKEN = {**USER, "fields": [*USER["fields"], {"name": "color", "type": "string"}]}


@pytest.fixture
def client(server):
    return SchemaRegistryClient({"url": server.url})


def schema(definition):
    return Schema(json.dumps(definition), "AVRO")


def test_registers_looks_up_and_lists(client, subject):
    first = client.register_schema(subject, schema(USER))
    second = client.register_schema(subject, schema(USER_V2))
    assert client.register_schema(subject, schema(USER)) == first
    assert json.loads(client.get_schema(first).schema_str)["name"] == "User"
    assert client.get_versions(subject) == [1, 2]
    latest = client.get_latest_version(subject)
    assert (latest.schema_id, latest.version) == (second, 2)
    assert client.lookup_schema(subject, schema(USER)).version == 1
    assert subject in client.get_subjects()


def test_an_incompatible_schema_is_refused_with_confluents_code(client, subject):
    client.register_schema(subject, schema(USER))
    assert client.test_compatibility(subject, schema(USER_V2))
    assert not client.test_compatibility(subject, schema(USER_BROKEN))
    with pytest.raises(SchemaRegistryError) as refused:
        client.register_schema(subject, schema(USER_BROKEN))
    assert (refused.value.http_status_code, refused.value.error_code) == (409, 40901)


def test_an_unknown_subject_is_not_found(client, subject):
    with pytest.raises(SchemaRegistryError) as missing:
        client.get_latest_version(subject)
    assert (missing.value.http_status_code, missing.value.error_code) == (404, 40401)


def test_its_serializers_and_our_serdes_read_each_other(client, server, subject):
    topic = subject.removesuffix("-value")
    context = SerializationContext(topic, MessageField.VALUE)
    ours = AvroSerde(RegistryClient(server.url), subject, json.dumps(USER))
    theirs = AvroSerializer(client, json.dumps(USER))({"name": "Ada"}, context)
    assert ours.decode(theirs) == {"name": "Ada"}
    assert ours.encode({"name": "Ada"}) == theirs
    assert AvroDeserializer(client)(ours.encode({"name": "Grace"}), context) == {"name": "Grace"}
