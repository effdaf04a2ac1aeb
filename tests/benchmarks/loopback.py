"""A server that answers every request with the same small JSON, as fast as Python can: it must not be the bottleneck.

Run as a program it prints its port and serves until its stdin closes.
"""

from __future__ import annotations

import asyncio
import sys

BODY = (
    b'{"manage.py": {"type": "file", "url": "http://127.0.0.1/manage.py"}, "blog": {"type": "directory", "url": "/"}}'
)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


class Answering(asyncio.Protocol):
    """One connection: an answer for each blank line, which ends a request without a body."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.tail = b""

    def data_received(self, data: bytes) -> None:
        *requests, self.tail = (self.tail + data).split(b"\r\n\r\n")
        self.transport.write(ANSWER * len(requests))


async def main() -> None:
    """Serves until stdin closes."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answering, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
