"""What a dropped file is, by its name and its first bytes; and whether two files are the same."""

from collections.abc import AsyncIterator
from enum import Enum, auto

from shared.dicom.model import Chunk

ENOUGH = 512
"""Bytes by which a file's kind is known: preamble, prefix and the beginning of the file meta information."""

_PREFIX_AT, _PREFIX = 128, b"DICM"
_ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
"""How ZIP files begin: with a file, empty, or as the first of several parts."""
_DIRECTORY = b"\x02\x00\x02\x00UI\x14\x00" + b"1.2.840.10008.1.3.10"
"""Media Storage SOP Class UID (0002,0002) of Media Storage Directory Storage (PS3.10 8.6)."""

_NO_INSTANCES = frozenset({"dicomdir", ".ds_store", "thumbs.db", "desktop.ini"})
_RESOURCE_FORKS = "__MACOSX"
_RESOURCE_FORK = "._"


class Kind(Enum):
    """What a file is taken for."""

    INSTANCE = auto()
    DIRECTORY = auto()
    ARCHIVE = auto()


def kind(start: bytes) -> Kind:
    """By the first ``ENOUGH`` bytes, or all if there are fewer. A preamble may look like anything (PS3.10 7.1)."""
    if start[_PREFIX_AT : _PREFIX_AT + len(_PREFIX)] != _PREFIX and start.startswith(_ARCHIVES):
        return Kind.ARCHIVE
    return Kind.DIRECTORY if _DIRECTORY in start else Kind.INSTANCE


def is_passed_over(name: str) -> bool:
    """Whether a file of that name comes along with images without being one."""
    *folders, last = name.split("/")
    return last.lower() in _NO_INSTANCES or last.startswith(_RESOURCE_FORK) or _RESOURCE_FORKS in folders


async def begun(chunks: AsyncIterator[bytes]) -> tuple[bytes, AsyncIterator[bytes]]:
    """The first ``ENOUGH`` bytes or more, if there are so many, and the chunks from the first on."""
    start = b""
    async for chunk in chunks:
        start += chunk
        if len(start) >= ENOUGH:
            break
    return start, _continued(start, chunks)


async def _continued(start: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield start
    async for chunk in rest:
        yield chunk


async def same(first: AsyncIterator[bytes], second: AsyncIterator[Chunk]) -> bool:
    """Whether two streams hold the same bytes; they are read no further than to the first difference."""
    ahead = b""
    async for chunk in first:
        while len(ahead) < len(chunk):
            more = await anext(second, None)
            if more is None:
                return False
            ahead += more
        if not ahead.startswith(chunk):
            return False
        ahead = ahead[len(chunk) :]
    return not ahead and not [more async for more in second if more]
