"""Real clients that log in or show certificates, and Kafka's own tools for users and ACLs."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from cryptography import x509
from cryptography.x509.oid import NameOID
from kafka import KafkaConsumer, KafkaProducer

from tailrace.testing.broker import BrokerProcess
from tailrace.testing.kafka import kafka_home
from tests.certificates import Authority

from .conftest import GIVE_UP_S

PROTOCOLS = ["SASL_PLAINTEXT", "SASL_SSL", "SSL"]
MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
ADMIN, ALICE = "admin", "alice"
ALICE_PRINCIPAL = r"User:CN=alice,OU=Desk\, first floor,O=Agio"


class Secured(NamedTuple):
    """A broker that wants to know who is there, with what clients need to tell it."""

    protocol: str
    server: str
    authority: Path
    certificates: dict[str, Path]

    def login(self, user: str, mechanism: str = "SCRAM-SHA-256", password: str | None = None) -> dict[str, Any]:
        """Properties of librdkafka; the Java clients have the same names for what matters."""
        properties: dict[str, Any] = {
            "bootstrap.servers": self.server,
            "security.protocol": self.protocol,
            "log_level": 0,
        }
        if self.protocol != "SASL_PLAINTEXT":
            properties["ssl.ca.location"] = str(self.authority)
        if self.protocol == "SSL":
            file = str(self.certificates[user])
            return properties | {"ssl.certificate.location": file, "ssl.key.location": file}
        return properties | {
            "sasl.mechanism": mechanism,
            "sasl.username": user,
            "sasl.password": password or f"{user}-secret",
        }

    def ssl_context(self, user: str) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.authority))
        context.check_hostname = False
        if self.protocol == "SSL":
            context.load_cert_chain(self.certificates[user])
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def certificates(authority: Authority) -> dict[str, Path]:
    of_alice = [
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Desk, first floor"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Agio"),
    ]
    return {
        "broker": authority.issue("broker", password=b"key-secret"),
        ADMIN: authority.issue(ADMIN),
        ALICE: authority.issue(ALICE, *of_alice),
    }


def users(data: Path, *arguments: str, password: str = "") -> str:
    command = [str(Path(sys.executable).with_name("tailrace")), "users", *arguments, "--data", str(data)]
    done = subprocess.run(command, input=password, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module", params=PROTOCOLS)
def secured(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    authority: Authority,
    certificates: dict[str, Path],
) -> Iterator[Secured]:
    data = tmp_path_factory.mktemp("data")
    for user in (ADMIN, ALICE):
        users(data, "add", user, password=f"{user}-secret\n")
    options = ["--security-protocol", request.param, "--acls", "--super-users", f"User:{ADMIN}"]
    options += ["--super-users", f"User:CN={ADMIN}"]
    if request.param != "SASL_PLAINTEXT":
        options += ["--ssl-keystore-location", str(certificates["broker"])]
    if request.param == "SSL":
        options += ["--ssl-client-auth", "required", "--ssl-truststore-location", str(authority.file)]
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SSL_KEY_PASSWORD", "key-secret")
        with BrokerProcess(data, options=options) as broker:
            yield Secured(request.param, broker.bootstrap_servers, authority.file, certificates)


@pytest.fixture
def topic(secured: Secured, unique: Callable[[str], str]) -> str:
    name = unique("topic")
    admin: Any = AdminClient(secured.login(ADMIN))
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(GIVE_UP_S)
    return name


def mechanisms(secured: Secured) -> list[str]:
    return MECHANISMS if secured.protocol.startswith("SASL") else MECHANISMS[:1]


def test_confluent_kafka_produces_and_consumes(secured: Secured, topic: str, unique: Callable[[str], str]) -> None:
    for mechanism in mechanisms(secured):
        login = secured.login(ADMIN, mechanism)
        producer: Any = Producer(login | {"enable.idempotence": True})
        producer.produce(topic, mechanism)
        assert producer.flush(GIVE_UP_S) == 0
        group = {"group.id": unique("group"), "auto.offset.reset": "earliest"}
        consumer: Any = Consumer(login | group)
        consumer.subscribe([topic])
        message = consumer.poll(GIVE_UP_S)
        consumer.close()
        assert message is not None
        assert message.value() == mechanisms(secured)[0].encode()


def test_aiokafka_produces_and_consumes(secured: Secured, topic: str) -> None:
    async def scenario(mechanism: str) -> None:
        login: dict[str, Any] = {
            "bootstrap_servers": secured.server,
            "security_protocol": secured.protocol,
            "ssl_context": None if secured.protocol == "SASL_PLAINTEXT" else secured.ssl_context(ADMIN),
            "sasl_mechanism": mechanism,
            "sasl_plain_username": ADMIN,
            "sasl_plain_password": f"{ADMIN}-secret",
        }
        async with AIOKafkaProducer(**login) as producer:
            await producer.send_and_wait(topic, mechanism.encode())
        async with AIOKafkaConsumer(topic, auto_offset_reset="earliest", **login) as consumer:
            message = await asyncio.wait_for(consumer.getone(), GIVE_UP_S)
            assert message.value == MECHANISMS[0].encode()

    for mechanism in mechanisms(secured):
        asyncio.run(scenario(mechanism))


def test_kafka_python_produces_and_consumes(secured: Secured, topic: str) -> None:
    for mechanism in mechanisms(secured):
        login: dict[str, Any] = {"bootstrap_servers": secured.server, "security_protocol": secured.protocol}
        if secured.protocol != "SASL_PLAINTEXT":
            login["ssl_context"] = secured.ssl_context(ADMIN)
        if secured.protocol != "SSL":
            login["sasl_mechanism"] = mechanism
            login |= {"sasl_plain_username": ADMIN, "sasl_plain_password": f"{ADMIN}-secret"}
        producer: Any = KafkaProducer(**login)
        producer.send(topic, mechanism.encode()).get(GIVE_UP_S)
        producer.close()
        consumer: Any = KafkaConsumer(
            topic, auto_offset_reset="earliest", consumer_timeout_ms=GIVE_UP_S * 1000, **login
        )
        assert next(consumer).value == MECHANISMS[0].encode()
        consumer.close()


@pytest.mark.parametrize("secured", ["SASL_PLAINTEXT"], indirect=True)
@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("user", [ALICE, "nobody"])
def test_a_wrong_password_is_told_and_nothing_else(secured: Secured, mechanism: str, user: str) -> None:
    errors: list[KafkaError] = []
    login = secured.login(user, mechanism, "wrong") | {"error_cb": errors.append, "reconnect.backoff.ms": 10}
    admin: Any = AdminClient(login)
    with pytest.raises(KafkaException):
        admin.list_topics(timeout=1)
    admin.poll(1)
    assert KafkaError._AUTHENTICATION in {error.code() for error in errors}


@pytest.mark.parametrize("secured", ["SSL"], indirect=True)
def test_who_shows_no_certificate_is_refused(secured: Secured) -> None:
    login = secured.login(ALICE)
    del login["ssl.certificate.location"], login["ssl.key.location"]
    with pytest.raises(KafkaException):
        AdminClient(login).list_topics(timeout=1)


def test_what_no_acl_allows_is_denied(secured: Secured, topic: str, unique: Callable[[str], str]) -> None:
    login = secured.login(ALICE)
    admin: Any = AdminClient(login)
    assert topic not in admin.list_topics(timeout=GIVE_UP_S).topics
    errors: list[KafkaError | None] = []
    producer: Any = Producer(login)
    producer.produce(topic, b"", on_delivery=lambda error, _: errors.append(error))
    producer.flush(GIVE_UP_S)
    assert [error.code() for error in errors if error] == [KafkaError.TOPIC_AUTHORIZATION_FAILED]
    name = unique("topic")
    with pytest.raises(KafkaException) as refused:
        admin.create_topics([NewTopic(name, 1, 1)])[name].result(GIVE_UP_S)
    assert refused.value.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED


# -- Kafka's tools ----------------------------------------------------------------------------------------------------


def tool(name: str, secured: Secured, login: Path, *arguments: str) -> str:
    option = ["--bootstrap-server", secured.server, "--command-config", str(login)]
    command = ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", f"{kafka_home()}/libs/*", name, *option]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def java_login(secured: Secured, directory: Path) -> Path:
    file = directory / "login.properties"
    properties = {"security.protocol": secured.protocol}
    if secured.protocol != "SASL_PLAINTEXT":
        properties |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": str(secured.authority)}
    if secured.protocol == "SSL":
        properties |= {"ssl.keystore.type": "PEM", "ssl.keystore.location": str(secured.certificates[ADMIN])}
    else:
        module = "org.apache.kafka.common.security.scram.ScramLoginModule"
        properties |= {
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.jaas.config": f'{module} required username="{ADMIN}" password="{ADMIN}-secret";',
        }
    file.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
    return file


@pytest.mark.parametrize("secured", ["SASL_PLAINTEXT", "SSL"], indirect=True)
@pytest.mark.kafka
def test_kafka_acls_allows_lists_and_removes(secured: Secured, topic: str, tmp_path: Path) -> None:
    login = java_login(secured, tmp_path)
    principal = ALICE_PRINCIPAL if secured.protocol == "SSL" else f"User:{ALICE}"

    def acls(*arguments: str) -> str:
        return tool("org.apache.kafka.tools.AclCommand", secured, login, *arguments)

    prefix = ["--topic", topic[:-1], "--resource-pattern-type", "prefixed"]
    acls("--add", "--allow-principal", principal, "--producer", *prefix)
    producer: Any = Producer(secured.login(ALICE))
    errors: list[KafkaError | None] = []
    producer.produce(topic, b"", on_delivery=lambda error, _: errors.append(error))
    producer.flush(GIVE_UP_S)
    assert errors == [None]

    listed = acls("--list", "--topic", topic, "--resource-pattern-type", "match")
    assert principal.replace("User:", "") in listed
    assert "operation=WRITE" in listed

    acls("--remove", "--force", *prefix)
    assert principal not in acls("--list")
    producer.produce(topic, b"", on_delivery=lambda error, _: errors.append(error))
    producer.flush(GIVE_UP_S)
    assert errors[1] is not None


@pytest.mark.parametrize("secured", ["SASL_SSL"], indirect=True)
@pytest.mark.kafka
def test_kafka_configs_makes_and_removes_users(secured: Secured, tmp_path: Path, unique: Callable[[str], str]) -> None:
    login = java_login(secured, tmp_path)
    bob = unique("bob")

    def configs(*arguments: str) -> str:
        return tool("kafka.admin.ConfigCommand", secured, login, "--entity-type", "users", *arguments)

    configs("--alter", "--entity-name", bob, "--add-config", "SCRAM-SHA-256=[iterations=8192,password=bobs secret]")
    described = configs("--describe")
    assert f"SCRAM credential configs for user-principal '{bob}' are SCRAM-SHA-256=iterations=8192" in described
    AdminClient(secured.login(bob, "SCRAM-SHA-256", "bobs secret")).list_topics(timeout=GIVE_UP_S)
    AdminClient(secured.login(bob, "PLAIN", "bobs secret")).list_topics(timeout=GIVE_UP_S)

    configs("--alter", "--entity-name", bob, "--delete-config", "SCRAM-SHA-256")
    assert bob not in configs("--describe")
    with pytest.raises(KafkaException):
        AdminClient(secured.login(bob, "SCRAM-SHA-256", "bobs secret")).list_topics(timeout=1)
