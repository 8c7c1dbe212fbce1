"""Readiness probes against real servers."""

import asyncio

from tailrace.deploy.ready import answering, listening
from tailrace.testing.port import free_port


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, status: str) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
    await writer.drain()
    writer.close()


async def probe_answers(status: str) -> bool:
    server = await asyncio.start_server(lambda r, w: answer(r, w, status=status), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        return await answering(f"http://127.0.0.1:{port}/health")()


def test_a_port_that_is_listened_on() -> None:
    async def scenario() -> bool:
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        async with server:
            return await listening(server.sockets[0].getsockname()[1])()

    assert asyncio.run(scenario())


def test_a_port_that_is_not() -> None:
    async def scenario() -> bool:
        return await listening(free_port())()

    assert not asyncio.run(scenario())


def test_a_page_that_answers() -> None:
    assert asyncio.run(probe_answers("204 No Content"))


def test_a_page_that_answers_with_an_error() -> None:
    assert not asyncio.run(probe_answers("503 Service Unavailable"))


def test_a_page_nobody_serves() -> None:
    async def scenario() -> bool:
        return await answering(f"http://127.0.0.1:{free_port()}/")()

    assert not asyncio.run(scenario())
