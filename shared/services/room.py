"""Memory for the data sets that are being parsed: many small ones pass, large ones take turns.

A header of a few megabytes can become hundreds in memory, and several at once the end of the process.
"""

import asyncio

from shared.errors import ServiceUnavailable

LIGHT = 1024 * 1024
"""Bytes of memory below which a data set is not worth counting."""
STEP = 4 * 1024 * 1024
"""Bytes by which the others grow at a time."""
PARSED = 32
"""Most bytes of memory that a byte of JSON or XML takes once it is parsed."""
PATIENCE = 30.0
"""Seconds."""
RETRY_SECONDS = "10"


class Room:
    """``most`` bytes for all. The first of those who hold some gets on even beyond, so that one always ends."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0
        self._holders: dict[Share, None] = {}
        self._given_back = asyncio.Event()

    def has(self, share: "Share", more: int) -> bool:
        """Whether a share can take so many bytes."""
        return next(iter(self._holders), share) is share or self._taken + more <= self._most

    def note(self, share: "Share", more: int) -> None:
        """Note what a share took, or gave back if that is less than nothing."""
        self._taken += more
        if share.held:
            self._holders.setdefault(share)
        else:
            self._holders.pop(share, None)
        if more < 0:
            self._given_back.set()
            self._given_back = asyncio.Event()

    async def change(self) -> None:
        """Return when something was given back."""
        await self._given_back.wait()


class Share:
    """What one request holds of the room; all is given back at the end of the context."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.held = 0

    async def take(self, more: int) -> None:
        """Take so many bytes, once they are there. Raises ServiceUnavailable when that takes too long."""
        if not self._room.has(self, more):
            try:
                async with asyncio.timeout(PATIENCE):
                    while not self._room.has(self, more):
                        await self._room.change()
            except TimeoutError:
                raise ServiceUnavailable(
                    "Too many large data sets are being read. Send the request again later.",
                    headers={"Retry-After": RETRY_SECONDS},
                ) from None
        self.held += more
        self._room.note(self, more)

    def give_back(self, less: int) -> None:
        """Give so many bytes back."""
        if less:
            self.held -= less
            self._room.note(self, -less)

    def __enter__(self) -> "Share":
        return self

    def __exit__(self, *_: object) -> None:
        self.give_back(self.held)


class Growing:
    """One data set's part of a share, which grows with it, until the context ends."""

    __slots__ = ("_share", "_taken", "enough")

    def __init__(self, share: Share) -> None:
        self._share = share
        self._taken = 0
        self.enough = LIGHT
        """How large the data set may be before it has to ``grow``."""

    @property
    def light(self) -> bool:
        """Whether it has never grown."""
        return not self._taken

    async def grow(self, size: int) -> None:
        """Have room for ``size`` bytes of memory. Raises ServiceUnavailable."""
        if size > self.enough:
            more = size + STEP - self._taken
            await self._share.take(more)
            self._taken += more
            self.enough = self._taken

    def __enter__(self) -> "Growing":
        return self

    def __exit__(self, *_: object) -> None:
        self._share.give_back(self._taken)
        self._taken = 0
