"""Taking the address that a server listens on."""

import socket


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
