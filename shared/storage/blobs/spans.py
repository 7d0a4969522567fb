"""Reading many parts of a blob by few requests."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from operator import attrgetter

from shared.dicom.model import ByteRange

GAP = 64 * 1024
"""Bytes that are read for nothing rather than by one more request."""


def spans(ranges: Iterable[ByteRange]) -> list[ByteRange]:
    """Parts that cover the ranges, by offset, at least ``GAP`` bytes apart. Empty ranges count for nothing."""
    merged: list[ByteRange] = []
    for part in sorted((part for part in ranges if part.length), key=attrgetter("offset")):
        if merged and part.offset - _end(merged[-1]) < GAP:
            start = merged[-1].offset
            merged[-1] = ByteRange(start, max(_end(merged[-1]), _end(part)) - start)
        else:
            merged.append(part)
    return merged


def cut(part: ByteRange, covering: Sequence[ByteRange], contents: Sequence[memoryview]) -> bytes:
    """A range's bytes, out of the contents of the spans that cover it."""
    if not part.length:
        return b""
    index = bisect_right(covering, part.offset, key=attrgetter("offset")) - 1
    start = part.offset - covering[index].offset
    return bytes(contents[index][start : start + part.length])


def _end(part: ByteRange) -> int:
    return part.offset + part.length
