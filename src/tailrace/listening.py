"""Taking the address that a server listens on."""

import socket

# Where a server listens unless it is told otherwise.
LOOPBACK = "127.0.0.1"


class AddressUnavailable(Exception):
    """An address cannot be listened on; the message says which, why, and what to do."""


def take_address(host: str, port: int, option: str = "--port") -> socket.socket:
    """Take an address (port 0: any free one) without accepting connections yet, so that they are refused until the
    server is ready.

    Raises AddressUnavailable, with the name of the `option` that chooses another port.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        server = socket.socket(family, kind, protocol)
        try:
            # Connections of a former life, still in TIME_WAIT, do not keep the port.
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(address)
        except OSError:
            server.close()
            raise
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AddressUnavailable(
            f"cannot listen on {host}:{port}: {reason}; stop what uses the port, or choose another one with {option}"
        ) from error
    return server


def host_and_port(address: str) -> tuple[str, int]:
    """The parts of an address such as "127.0.0.1:8090" or "[::1]:8090"; ":8090" is of this machine only.

    Raises ValueError for what is none.
    """
    host, colon, port = address.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not colon or not port.isdecimal() or int(port) > 65_535 or (":" in bare and bare == host):
        raise ValueError(f"{address!r} is no address; expected one like 127.0.0.1:8090")
    return bare or LOOPBACK, int(port)


def address_of(server: socket.socket) -> str:
    """The address that a server has taken, as `host_and_port` reads it."""
    host, port = server.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
