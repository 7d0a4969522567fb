"""How long a client is waited for, which sends a body or takes an answer."""

import asyncio
import math
from collections.abc import AsyncIterator
from types import TracebackType

from starlette.types import Message, Send

from shared.errors import RequestTimeout


async def impatient(chunks: AsyncIterator[bytes], seconds: float) -> AsyncIterator[bytes]:
    """The chunks of a body. Raises RequestTimeout when none comes for so long."""
    while True:
        try:
            async with asyncio.timeout(seconds):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise RequestTimeout(
                f"Nothing came of the request body for {seconds:g} seconds.", headers={"Connection": "close"}
            ) from None
        if chunk is None:
            return
        yield chunk


class Patience:
    """Sends as ``send`` does; TimeoutError ends the context if the client takes nothing for that long or twice.

    One timer looks after all that is sent: one for each message would take longer than sending most of them.
    """

    __slots__ = ("_ended", "_loop", "_seconds", "_send", "_since", "_task", "_timer")

    def __init__(self, send: Send, seconds: float) -> None:
        self._send = send
        self._seconds = seconds
        self._since = math.inf
        self._ended = False
        self._loop = asyncio.get_running_loop()

    async def __call__(self, message: Message) -> None:
        self._since = self._loop.time()
        await self._send(message)
        self._since = math.inf

    def __enter__(self) -> "Patience":
        self._task = asyncio.current_task(self._loop)
        self._timer = self._loop.call_later(self._seconds, self._look)
        return self

    def _look(self) -> None:
        if self._loop.time() - self._since < self._seconds:
            self._timer = self._loop.call_later(self._seconds, self._look)
        elif self._task is not None:
            self._ended = self._task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._ended and self._task is not None and not self._task.uncancel() and kind is asyncio.CancelledError:
            raise TimeoutError from None
