"""Range requests: which bytes of a representation are asked for, and how they are labelled (RFC 9110 14)."""

import re

from shared.dicom.model import ByteRange
from shared.dicomweb.media_types import split_list
from shared.dicomweb.multipart_writer import part_head
from shared.errors import RangeNotSatisfiable

MAX_RANGES = 32

_BYTES = re.compile(r"\s*bytes\s*=(.*)", re.IGNORECASE | re.DOTALL)
_SPEC = re.compile(r"([0-9]{0,99})\s*-\s*([0-9]{0,99})")


def parse_range(header: str | None, length: int) -> tuple[ByteRange, ...] | None:
    """The byte ranges that a Range header asks of a representation of ``length`` bytes, clamped to it.

    None means the whole representation: no header, another unit, a malformed one, an empty representation, or
    so many or so overlapping ranges that the request looks like abuse (RFC 9110 14.2). Ranges keep the order
    of the request.

    Raises RangeNotSatisfiable, with its Content-Range header, if no range lies within the representation.
    """
    match = _BYTES.fullmatch(header or "")
    specs = split_list(match[1]) if match else []
    if not 0 < len(specs) <= MAX_RANGES or not length:
        return None
    ends = [_parse(spec, length) for spec in specs]
    if any(end is None for end in ends):
        return None
    ranges = [
        ByteRange(first, min(last, length - 1) - first + 1)
        for first, last in (end for end in ends if end)
        if first < length
    ]
    if not ranges:
        raise RangeNotSatisfiable(
            f"No requested range lies within the {length} bytes of this resource.",
            headers={"Content-Range": f"bytes */{length}"},
        )
    return None if _overlap_much(ranges) else tuple(ranges)


def content_range(part: ByteRange, length: int) -> str:
    """The Content-Range header of one range of a representation of ``length`` bytes."""
    return f"bytes {part.offset}-{part.offset + part.length - 1}/{length}"


def byteranges_content_type(boundary: str) -> str:
    """The Content-Type of a 206 answer with several ranges (RFC 9110 14.6)."""
    return f"multipart/byteranges; boundary={boundary}"


def byteranges_part_head(boundary: str, content_type: str, part: ByteRange, length: int) -> bytes:
    """What stands before the bytes of one range in multipart/byteranges."""
    return part_head(boundary, {"Content-Type": content_type, "Content-Range": content_range(part, length)})


def _parse(spec: str, length: int) -> tuple[int, int] | None:
    """First and last byte of a range, either perhaps beyond the end; None if malformed."""
    match = _SPEC.fullmatch(spec)
    if match is None or not (match[1] or match[2]):
        return None
    first, last = match.groups()
    if not first:
        return max(length - int(last), 0), length - 1
    if not last:
        return int(first), length - 1
    return (int(first), int(last)) if int(first) <= int(last) else None


def _overlap_much(ranges: list[ByteRange]) -> bool:
    """Whether more than two ranges overlap others."""
    ordered = sorted(ranges, key=lambda part: part.offset)
    overlaps, end = 0, 0
    for part in ordered:
        overlaps += part.offset < end
        end = max(end, part.offset + part.length)
    return overlaps > 1
