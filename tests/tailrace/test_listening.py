import socket

import pytest

from tailrace.listening import AddressUnavailable, take_address


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
