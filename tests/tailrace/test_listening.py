import socket

import pytest

from tailrace.listening import AddressUnavailable, address_of, host_and_port, take_address


def test_nobody_is_let_in_before_the_server_listens():
    with take_address("127.0.0.1", 0) as server:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(server.getsockname(), timeout=5)
        server.listen()
        socket.create_connection(server.getsockname(), timeout=5).close()


def test_a_port_in_use_is_told_with_what_to_do():
    with take_address("127.0.0.1", 0) as server:
        port = server.getsockname()[1]
        server.listen()
        with pytest.raises(AddressUnavailable, match=f"cannot listen on 127.0.0.1:{port}: .*in use; .* with --port"):
            take_address("127.0.0.1", port)


def test_a_host_that_is_not_ours_is_told():
    with pytest.raises(AddressUnavailable, match=r"cannot listen on 192\.0\.2\.1:0: "):
        take_address("192.0.2.1", 0)


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("127.0.0.1:8090", ("127.0.0.1", 8090)),
        (":8090", ("127.0.0.1", 8090)),
        ("example.org:0", ("example.org", 0)),
        ("[::1]:65535", ("::1", 65535)),
    ],
)
def test_an_address_has_a_host_and_a_port(address, parts):
    assert host_and_port(address) == parts


@pytest.mark.parametrize("address", ["", "8090", "host", "host:", "host:x", "host:-1", "host:65536", "::1:8090"])
def test_what_is_no_address_is_told(address):
    with pytest.raises(ValueError, match=r"is no address; expected one like 127\.0\.0\.1:8090"):
        host_and_port(address)


def test_the_address_of_a_server_can_be_read_again():
    with take_address("127.0.0.1", 0) as server:
        assert host_and_port(address_of(server)) == server.getsockname()
