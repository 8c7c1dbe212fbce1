"""SCRAM against the RFCs' examples and a client written from the RFC; whatever else comes is rejected."""

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.broker.security.config import Mechanism
from tailrace.broker.security.credentials import credential
from tailrace.broker.security.exchange import Rejected
from tailrace.broker.security.scram import ScramExchange
from tailrace.broker.security.users import Users

SHA256, SHA512 = Mechanism.SCRAM_SHA_256, Mechanism.SCRAM_SHA_512
SALT = b"salt and pepper"
ALICE = Users(credential("alice", mechanism, "secret", SALT, 4096) for mechanism in (SHA256, SHA512))


def client_final(mechanism: Mechanism, first_bare: str, server_first: str, password: str, gs2: str = "n,,") -> str:
    name = "sha256" if mechanism is SHA256 else "sha512"
    nonce, salt, iterations = (part[2:] for part in server_first.split(","))
    without_proof = f"c={base64.b64encode(gs2.encode()).decode()},r={nonce}"
    salted = hashlib.pbkdf2_hmac(name, password.encode(), base64.b64decode(salt), int(iterations))
    client_key = hmac.digest(salted, b"Client Key", name)
    message = f"{first_bare},{server_first},{without_proof}".encode()
    signature = hmac.digest(hashlib.new(name, client_key).digest(), message, name)
    proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    return f"{without_proof},p={base64.b64encode(proof).decode()}"


def log_in(users: Users, mechanism: Mechanism, user: str, password: str, gs2: str = "n,,") -> str | None:
    exchange = ScramExchange(mechanism, users, "server")
    bare = f"n={user},r=client"
    answer = exchange.step(f"{gs2}{bare}".encode())
    assert answer.user is None
    final = client_final(mechanism, bare, answer.token.decode(), password, gs2)
    return exchange.step(final.encode()).user


def test_the_example_of_rfc_7677() -> None:
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    users = Users([credential("user", SHA256, "pencil", salt, 4096)])
    exchange = ScramExchange(SHA256, users, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
    first = exchange.step(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
    assert first.token == (b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
    final = exchange.step(
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    assert final == (b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "user")


@pytest.mark.parametrize("mechanism", [SHA256, SHA512])
def test_the_right_password_is_accepted(mechanism: Mechanism) -> None:
    assert log_in(ALICE, mechanism, "alice", "secret") == "alice"


def test_an_identity_may_be_given_if_it_is_the_same() -> None:
    assert log_in(ALICE, SHA256, "alice", "secret", gs2="n,a=alice,") == "alice"
    with pytest.raises(Rejected, match="somebody else"):
        log_in(ALICE, SHA256, "alice", "secret", gs2="n,a=bob,")


def test_names_with_commas_and_equal_signs_are_escaped() -> None:
    users = Users([credential("a,b=c", SHA256, "secret", SALT, 4096)])
    assert log_in(users, SHA256, "a=2Cb=3Dc", "secret") == "a,b=c"
    with pytest.raises(Rejected, match="not escaped"):
        log_in(users, SHA256, "a=2Cb=c", "secret")


@pytest.mark.parametrize("user", ["alice", "nobody"])
def test_a_wrong_password_and_an_unknown_name_look_the_same(user: str) -> None:
    exchange = ScramExchange(SHA256, ALICE, "server")
    answer = exchange.step(f"n,,n={user},r=client".encode()).token.decode()
    assert answer.startswith("r=clientserver,s=")
    assert answer.endswith(",i=4096")
    final = client_final(SHA256, f"n={user},r=client", answer, "wrong")
    with pytest.raises(Rejected, match="wrong name or password"):
        exchange.step(final.encode())


def test_an_unknown_name_has_the_same_salt_each_time() -> None:
    def salt(user: str) -> bytes:
        return ScramExchange(SHA256, ALICE, "").step(f"n,,n={user},r=c".encode()).token

    assert salt("bob") == salt("bob") != salt("carol")


def test_all_zeros_are_no_proof_for_an_unknown_name() -> None:
    exchange = ScramExchange(SHA256, ALICE, "server")
    exchange.step(b"n,,n=bob,r=client")
    with pytest.raises(Rejected):
        exchange.step(b"c=biws,r=clientserver,p=" + base64.b64encode(bytes(32)))


@pytest.mark.parametrize(
    "message",
    [
        "",
        "n,,n=alice",
        "p=tls-unique,,n=alice,r=client",
        "n,,n=alice,r=",
        "n,,m=must,n=alice,r=client",
        "n,,n=alice,r=client,m=must",
        "n,,n=ali=ce,r=client",
        "n,,n=alice,r=cli ent",
        "n,n=alice,r=client",
        "\0",
    ],
)
def test_a_malformed_first_message_is_rejected(message: str) -> None:
    with pytest.raises(Rejected):
        ScramExchange(SHA256, ALICE, "server").step(message.encode())


@pytest.mark.parametrize(
    ("part", "replacement"),
    [("r=clientserver", "r=client"), ("c=biws", "c=eSws"), ("p=", "p=AAAA"), (",p=", ",q="), ("c=biws,", "")],
)
def test_a_final_message_that_does_not_fit_is_rejected(part: str, replacement: str) -> None:
    exchange = ScramExchange(SHA256, ALICE, "server")
    answer = exchange.step(b"n,,n=alice,r=client").token.decode()
    final = client_final(SHA256, "n=alice,r=client", answer, "secret")
    assert part in final
    with pytest.raises(Rejected):
        exchange.step(final.replace(part, replacement).encode())


@given(first=st.binary(max_size=80), final=st.binary(max_size=80))
def test_whatever_comes_is_answered_or_rejected(first: bytes, final: bytes) -> None:
    for message in (first, b"n,,n=alice,r=" + first):
        exchange = ScramExchange(SHA512, ALICE, "server")
        try:
            exchange.step(message)
            exchange.step(final)
        except Rejected:
            continue
        raise AssertionError("nobody knows the password")
