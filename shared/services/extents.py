"""Reading parts of a stored instance: byte ranges of the file, given as little endian values.

Most are ranged blob reads. Two transfer syntaxes need more: deflated ones are inflated from the start, and
big endian words are swapped, since everything but whole instances is sent little endian (PS3.18 8.7.3).
"""

import asyncio
import zlib
from array import array
from collections.abc import AsyncIterator
from dataclasses import dataclass

from shared.dicom.file_meta import data_set_offset
from shared.dicom.model import ByteRange
from shared.dicom.transfer_syntax import DEFLATED, EXPLICIT_VR_BIG_ENDIAN
from shared.errors import StorageError
from shared.services.context import Services
from shared.storage.index.model import StoredInstance

WHOLE_READ = 2 * 1024 * 1024
"""Extents up to this many bytes are read in one go."""
INFLATE_CHUNK = 1024 * 1024

WORD_SIZES = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}
_WORD_CODES = {2: "H", 4: "I", 8: "Q"}


@dataclass(frozen=True, slots=True)
class Extent:
    """The concatenation of byte ranges of a file; ``vr`` says how large its words are."""

    ranges: tuple[ByteRange, ...]
    vr: str = "OB"

    @property
    def length(self) -> int:
        """In bytes."""
        return sum(part.length for part in self.ranges)

    def part(self, offset: int, length: int) -> "Extent":
        """The extent's bytes from ``offset`` on, ``length`` of them."""
        parts = []
        for candidate in self.ranges:
            start, end = max(offset, 0), min(offset + length, candidate.length)
            if start < end:
                parts.append(ByteRange(candidate.offset + start, end - start))
            offset -= candidate.length
        return Extent(tuple(parts), self.vr)


def read(services: Services, stored: StoredInstance, extent: Extent) -> AsyncIterator[bytes]:
    """An extent's bytes in chunks, words little endian."""
    if stored.transfer_syntax in DEFLATED:
        return _inflated(services, stored, extent)
    if stored.transfer_syntax == EXPLICIT_VR_BIG_ENDIAN and extent.vr in WORD_SIZES:
        return swapped(_stored(services, stored, extent), WORD_SIZES[extent.vr])
    return _stored(services, stored, extent)


def read_part(
    services: Services, stored: StoredInstance, extent: Extent, offset: int, length: int
) -> AsyncIterator[bytes]:
    """Some of an extent's bytes; a word cut by either end is read whole to be swapped."""
    word = WORD_SIZES.get(extent.vr, 1)
    lead = offset % word
    covered = min(-(-(lead + length) // word) * word, extent.length - (offset - lead))
    chunks = read(services, stored, extent.part(offset - lead, covered))
    return chunks if covered == length else _trimmed(chunks, lead, length)


async def _stored(services: Services, stored: StoredInstance, extent: Extent) -> AsyncIterator[bytes]:
    if extent.length <= WHOLE_READ:
        for chunk in await services.blobs.read_ranges(stored.blob, extent.ranges):
            yield chunk
        return
    for part in extent.ranges:
        async for chunk in services.blobs.read(stored.blob, part.offset, part.length):
            yield chunk


async def swapped(chunks: AsyncIterator[bytes], word: int) -> AsyncIterator[bytes]:
    """Turn big endian words of ``word`` bytes around, wherever the chunks cut them."""
    rest = b""
    async for chunk in chunks:
        data = rest + chunk
        whole = len(data) - len(data) % word
        rest = data[whole:]
        words = array(_WORD_CODES[word], data[:whole])
        words.byteswap()
        yield words.tobytes()
    if rest:
        yield rest


async def _trimmed(chunks: AsyncIterator[bytes], lead: int, length: int) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        kept = chunk[lead : lead + length]
        lead -= min(lead, len(chunk))
        length -= len(kept)
        if kept:
            yield kept


async def _inflated(services: Services, stored: StoredInstance, extent: Extent) -> AsyncIterator[bytes]:
    """Inflate up to the end of the extent, whose ranges count as if the file had never been deflated."""
    position = 0
    ranges = list(extent.ranges)
    async for chunk in _inflate(services, stored):
        while ranges and ranges[0].offset < position + len(chunk):
            start = max(ranges[0].offset - position, 0)
            end = ranges[0].offset + ranges[0].length - position
            yield chunk[start:end]
            if end > len(chunk):
                break
            ranges.pop(0)
        if not ranges:
            return
        position += len(chunk)
    raise StorageError("A deflated instance ends before the bytes that the index knows of.")


async def _inflate(services: Services, stored: StoredInstance) -> AsyncIterator[bytes]:
    """The file with its data set inflated."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    head = b""
    start: int | None = None
    async for chunk in services.blobs.read(stored.blob):
        if start is None:
            head += chunk
            start = data_set_offset(head)
            if start is None:
                continue
            yield head[:start]
            chunk = head[start:]
        while inflated := await asyncio.to_thread(inflater.decompress, chunk, INFLATE_CHUNK):
            chunk = inflater.unconsumed_tail
            yield inflated
