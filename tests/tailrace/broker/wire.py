"""What an event loop does when bytes arrive for a connection."""

import asyncio


def receive(protocol: asyncio.BufferedProtocol, data: bytes) -> None:
    """Put the bytes where the protocol wants them, in as many steps as there is room for."""
    while data:
        room = memoryview(protocol.get_buffer(len(data)))  # type: ignore[arg-type]
        size = min(len(room), len(data))
        room[:size] = data[:size]
        protocol.buffer_updated(size)
        data = data[size:]
