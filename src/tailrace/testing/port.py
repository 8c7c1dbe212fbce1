"""Ports for servers that cannot choose one themselves."""

import errno
import secrets
import socket


def port_is_free(port: int) -> bool:
    """Tell whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def free_port() -> int:
    """Choose a port of 127.0.0.1 on which nothing listens.

    Lies below the range the kernel gives to outgoing connections, so that none of those takes it before the server
    does.
    """
    while not port_is_free(port := 20_000 + secrets.randbelow(10_000)):
        pass
    return port


def accepts(port: int) -> bool:
    """Tell whether a server accepts connections on this port of 127.0.0.1."""
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0
