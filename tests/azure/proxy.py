"""A proxy that makes a service behind it fail in chosen ways, and remembers what was asked of it."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import Enum, auto


class Fault(Enum):
    """What happens to a request instead of being answered."""

    BUSY = auto()  # answered 503
    CUT_BEFORE = auto()  # the connection is closed, the service never sees the request
    CUT_AFTER = auto()  # the service does what it is asked, but its answer is lost
    HANG = auto()  # neither is there an answer, nor is the connection closed


BUSY_ANSWER = b"HTTP/1.1 503 Server Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

Choose = Callable[[str], Fault | None]
"""Which fault meets a request, by its method and target, such as ``PUT /account/container/name``."""


def once(*words: str, fault: Fault) -> Choose:
    """The fault for the first request that contains all the words."""
    left = 1

    def choose(request: str) -> Fault | None:
        nonlocal left
        if left and all(word in request for word in words):
            left -= 1
            return fault
        return None

    return choose


class Proxy:
    """Speaks HTTP/1.1, one request a connection. ``requests`` lists them, those that met a fault included."""

    def __init__(self, upstream: int) -> None:
        self.requests: list[str] = []
        self.under_way = 0
        self.choose: Choose = lambda _: None
        self.port = 0
        self._upstream = upstream

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
            body = await reader.readexactly(int(length[1])) if length else b""
            self.under_way += 1
            try:
                await self._answer(head, body, writer)
            finally:
                self.under_way -= 1
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, head: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
        request = head.partition(b" HTTP/")[0].decode()
        self.requests.append(request)
        fault = self.choose(request)
        if fault is Fault.HANG:
            await asyncio.Event().wait()
        if fault is Fault.BUSY:
            writer.write(BUSY_ANSWER)
        if fault in (None, Fault.CUT_AFTER):
            answer = await self._forward(head, body)
            if fault is None:
                writer.write(answer)
        await writer.drain()

    async def _forward(self, head: bytes, body: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        head = re.sub(rb"(?i)\r\nconnection: [^\r]*", b"", head)
        writer.write(head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + body)
        answer = await reader.read()
        writer.close()
        return answer


@asynccontextmanager
async def proxy(upstream: int) -> AsyncIterator[Proxy]:
    """A proxy before a port of this machine."""
    served = Proxy(upstream)
    connections: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(served.serve(reader, writer))
        connections.add(task)
        task.add_done_callback(connections.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=2**20)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
