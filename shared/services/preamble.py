"""What is added to a file before it is stored: the preamble, where it has none."""

from collections.abc import AsyncIterator

from shared.dicom.file_meta import EMPTY_PREAMBLE, RECOGNISED, lacks_preamble


async def with_preamble(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The chunks, with preamble and prefix in front where a file begins with its file meta information.

    Clients that write a data set made from scratch leave both out, which no reader of what is stored could know.
    """
    start = b""
    async for chunk in chunks:
        if len(start) >= RECOGNISED:
            yield chunk
            continue
        start += chunk
        if len(start) >= RECOGNISED:
            yield EMPTY_PREAMBLE + start if lacks_preamble(start) else start
    if len(start) < RECOGNISED:
        yield start
