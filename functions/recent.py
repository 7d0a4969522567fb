"""Answers given a moment ago, for as long as nothing in the index has changed since.

Viewers ask for the same lists and metadata again and again. Where the index can tell at once that it is as it was
(``Index.revision``), they get the very bytes of the last time.
"""

from collections import OrderedDict
from collections.abc import AsyncGenerator, Hashable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import cast

from azurefunctions.extensions.http.fastapi import Response

from functions.answers import StreamedAnswer

MOST_BYTES = 32 * 1024 * 1024
"""Of all answers together."""
LARGEST = 1024 * 1024
"""Bytes of one answer."""
MOST_ANSWERS = 4096
"""Small ones take more memory than their bodies: their headers, and what was asked."""


@dataclass(frozen=True, slots=True)
class _Kept:
    revision: int
    status: int
    headers: list[tuple[bytes, bytes]]
    chunks: list[bytes]
    """Put together when the answer is given again, which most never are."""
    size: int


class RecentAnswers:
    """A bounded memory of answers; those not asked for longest are forgotten first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._bytes = 0

    def find(self, key: Hashable, revision: int) -> Response | None:
        """The answer to the same request, if it was given at this revision of the index."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.revision != revision:
            self._forget(key)
            return None
        self._kept.move_to_end(key)
        kept.chunks[:] = [b"".join(kept.chunks)]
        answer = Response(kept.chunks[0], kept.status)
        answer.raw_headers = list(kept.headers)
        return answer

    def remember(self, key: Hashable, revision: int, answer: Response) -> None:
        """Keep a streamed answer once it was sent, unless it is large. ``revision`` is that from before it was made."""
        if isinstance(answer, StreamedAnswer):
            kept = _Kept(revision, answer.status_code, [*answer.raw_headers], [], 0)
            answer.body_iterator = self._noted(key, kept, cast("AsyncGenerator[bytes]", answer.body_iterator))

    async def _noted(self, key: Hashable, kept: _Kept, body: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        chunks: list[bytes] = []
        size = 0
        async with aclosing(body):
            async for chunk in body:
                size += len(chunk)
                if size <= LARGEST:
                    chunks.append(chunk)
                else:
                    chunks.clear()
                yield chunk
        if size <= LARGEST:
            length = (b"content-length", str(size).encode())
            self._keep(key, replace(kept, headers=[*kept.headers, length], chunks=chunks, size=size))

    def _keep(self, key: Hashable, kept: _Kept) -> None:
        self._forget(key)
        self._kept[key] = kept
        self._bytes += kept.size
        while self._bytes > MOST_BYTES or len(self._kept) > MOST_ANSWERS:
            self._forget(next(iter(self._kept)))

    def _forget(self, key: Hashable) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._bytes -= kept.size
