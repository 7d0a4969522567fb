"""What is added to a file before it is stored: the preamble, where it has none."""

from collections.abc import AsyncIterator

from shared.dicom.file_meta import EMPTY_PREAMBLE, RECOGNISED, lacks_preamble
from shared.dicom.model import Chunk


async def with_preamble(chunks: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
    """The chunks, with preamble and prefix in front where a file begins with its file meta information.

    Clients that write a data set made from scratch leave both out, which no reader of what is stored could know.
    """
    start: Chunk = b""
    async for chunk in chunks:
        if len(start) >= RECOGNISED:
            yield chunk
            continue
        start = bytes(start) + chunk if start else chunk
        if len(start) >= RECOGNISED:
            if lacks_preamble(bytes(start[:RECOGNISED])):
                yield EMPTY_PREAMBLE
            yield start
    if len(start) < RECOGNISED:
        yield start
