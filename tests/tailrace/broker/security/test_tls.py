"""Who a certificate names, and settings that cannot work."""

from pathlib import Path

import pytest

from tailrace.broker.security.config import ClientAuth, InvalidSecurity, SecurityConfig, SecurityProtocol
from tailrace.broker.security.tls import Attributes, distinguished_name, server_context
from tests.certificates import Authority


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        pytest.param([[("organizationName", "Agio")], [("commonName", "alice")]], "CN=alice,O=Agio", id="reversed"),
        pytest.param([[("commonName", "a"), ("userId", "b")]], "CN=a+UID=b", id="several in one"),
        pytest.param([[("commonName", 'a,b+c"d\\e<f>g;h')]], 'CN=a\\,b\\+c\\"d\\\\e\\<f\\>g\\;h', id="special"),
        pytest.param([[("commonName", " a ")]], "CN=\\ a\\ ", id="spaces at the ends"),
        pytest.param([[("commonName", "#a")]], "CN=\\#a", id="hash at the beginning"),
        pytest.param([[("stateOrProvinceName", "Ü")]], "ST=Ü", id="not ASCII"),
        pytest.param([[("emailAddress", "a@b")]], "1.2.840.113549.1.9.1=#1603614062", id="as Java writes it"),
        pytest.param([], "", id="nothing"),
    ],
)
def test_a_name_is_written_as_java_does(subject: Attributes, expected: str) -> None:
    assert distinguished_name(subject) == expected


def config(**settings: object) -> SecurityConfig:
    return SecurityConfig(security_protocol=SecurityProtocol.SSL, **settings)  # type: ignore[arg-type]


def test_a_context_is_made_of_valid_files(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    keystore = authority.issue("broker", password=b"secret")
    context = server_context(
        config(
            ssl_keystore_location=keystore,
            ssl_key_password="secret",
            ssl_truststore_location=authority.file,
            ssl_client_auth=ClientAuth.REQUIRED,
        )
    )
    assert context is not None
    assert server_context(SecurityConfig()) is None


def test_settings_that_cannot_work_say_what_is_missing(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    keystore = authority.issue("broker", password=b"secret")
    nothing = tmp_path / "nothing.pem"
    wrong = {
        "needs ssl.keystore.location": {},
        "needs ssl.truststore.location": {"ssl_keystore_location": keystore, "ssl_client_auth": ClientAuth.REQUIRED},
        "ssl.keystore.location=.* cannot be used": {"ssl_keystore_location": keystore, "ssl_key_password": "wrong"},
        "expected a PEM file with a private key": {"ssl_keystore_location": authority.file},
        "nothing.pem cannot be used": {"ssl_keystore_location": nothing},
        "ssl.truststore.location=.* cannot be used": {
            "ssl_keystore_location": keystore,
            "ssl_key_password": "secret",
            "ssl_truststore_location": nothing,
        },
    }
    for message, settings in wrong.items():
        with pytest.raises(InvalidSecurity, match=message):
            server_context(config(**settings))
