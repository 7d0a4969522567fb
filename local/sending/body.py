"""The body of a request: files read while they are sent, so that none is ever whole in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from local.sending.files import UNREADABLE, why_unreadable
from local.sending.model import File
from shared.dicomweb.media_types import DICOM
from shared.dicomweb.multipart_writer import PART_END, closing, new_boundary, part, part_head, related_content_type

_CHUNK_BYTES = 256 * 1024


class Unreadable(Exception):
    """A file could not be read to the size it was found with; the message says why."""

    def __init__(self, file: File, reason: str) -> None:
        super().__init__(reason)
        self.file = file


class Body:
    """What one attempt of a request sends. ``begun`` is called as it begins; ``sent`` hears of each chunk's size.

    ``fault`` is what ended it before its time, ``ended`` whether it was sent to its end.
    """

    def __init__(self, begun: Callable[[], None], sent: Callable[[int], None]) -> None:
        self._begun = begun
        self._sent = sent
        self.fault: Unreadable | None = None
        self.ended = False

    async def multipart(self, files: Sequence[File], boundary: str) -> AsyncIterator[bytes]:
        """The files as the parts of a multipart/related body."""
        self._begun()
        head = _head(boundary)
        for file in files:
            async for chunk in part(head, self._content(file)):
                yield chunk
        yield closing(boundary)
        self.ended = True

    async def single(self, file: File) -> AsyncIterator[bytes]:
        """The file alone."""
        self._begun()
        async for chunk in self._content(file):
            yield chunk
        self.ended = True

    async def _content(self, file: File) -> AsyncIterator[bytes]:
        try:
            async for chunk in _read(file):
                self._sent(len(chunk))
                yield chunk
        except Unreadable as fault:
            self.fault = fault
            raise


async def _read(file: File) -> AsyncIterator[bytes]:
    """The file's bytes. Raises Unreadable."""
    left = file.size
    try:
        stream = await asyncio.to_thread(file.open)
        with stream:
            while chunk := await asyncio.to_thread(stream.read, _CHUNK_BYTES):
                left -= len(chunk)
                if left < 0:
                    break
                yield chunk
    except UNREADABLE as error:
        raise Unreadable(file, why_unreadable(error)) from error
    if left:
        raise Unreadable(file, "It changed while it was being sent.")


def _head(boundary: str) -> bytes:
    return part_head(boundary, {"Content-Type": DICOM})


def multipart_headers(files: Sequence[File]) -> tuple[str, dict[str, str]]:
    """A boundary for the files, and the headers that tell of it and of the body's length."""
    boundary = new_boundary()
    around = len(_head(boundary)) + len(PART_END)
    length = sum(file.size + around for file in files) + len(closing(boundary))
    return boundary, {"Content-Type": related_content_type(DICOM, boundary), "Content-Length": str(length)}
