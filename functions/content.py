"""One representation of known length, bare or as the only part of a multipart body: entity tag, ranges, HEAD."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from azurefunctions.extensions.http.fastapi import Request, Response

from functions.answers import StreamedAnswer, at_once, unchanged_answer
from shared.dicom.model import ByteRange
from shared.dicomweb.conditional import entity_tag, range_applies
from shared.dicomweb.multipart_writer import PART_END, closing, new_boundary, part, part_head, related_content_type
from shared.dicomweb.ranges import byteranges_content_type, byteranges_part_head, content_range, parse_range


@dataclass(frozen=True, slots=True)
class Representation:
    """Bytes that can be read in part.

    ``part_type`` is the media type, without parameters, of the multipart body that wraps them; None sends
    them bare. ``read`` gives the bytes at an offset, ``length`` of them.
    """

    content_type: str
    part_type: str | None
    length: int
    version: int
    read: Callable[[int, int], AsyncIterator[bytes]]


async def content_answer(req: Request, representation: Representation) -> Response:
    """The whole, the ranges asked for, or 304. Raises RangeNotSatisfiable."""
    answer = _content(req, representation)
    return answer if req.method == "HEAD" else await at_once(answer)


def _content(req: Request, representation: Representation) -> Response:
    tag = entity_tag(str(representation.version))
    common = {"ETag": tag, "Vary": "Accept", "Accept-Ranges": "bytes"}
    if unchanged := unchanged_answer(req, common):
        return unchanged
    ranges = _ranges(req, tag, representation.length)
    if representation.part_type is not None:
        return _wrapped(representation, representation.part_type, ranges, common)
    if ranges is None:
        return _stream(_read(representation, ByteRange(0, representation.length)), 200, common, representation)
    if len(ranges) == 1:
        partial = {"Content-Range": content_range(ranges[0], representation.length)}
        return _stream(_read(representation, ranges[0]), 206, common | partial, representation, ranges[0].length)
    boundary = new_boundary()
    headers = common | {"Content-Type": byteranges_content_type(boundary)}
    return StreamedAnswer(_byteranges(representation, ranges, boundary), 206, headers)


def _ranges(req: Request, tag: str, length: int) -> tuple[ByteRange, ...] | None:
    if req.method == "HEAD" or not range_applies(req.headers.get("if-range"), tag):
        return None
    return parse_range(req.headers.get("range"), length)


def _wrapped(
    representation: Representation, part_type: str, ranges: tuple[ByteRange, ...] | None, common: dict[str, str]
) -> Response:
    """A range counts within the part's content; its Content-Range stands in the answer and in the part."""
    boundary = new_boundary()
    part_headers = {"Content-Type": representation.content_type}
    headers = common | {"Content-Type": related_content_type(part_type, boundary)}
    extent = ByteRange(0, representation.length)
    if ranges is not None and len(ranges) == 1:
        extent = ranges[0]
        part_headers["Content-Range"] = headers["Content-Range"] = content_range(extent, representation.length)
    head = part_head(boundary, part_headers)
    headers["Content-Length"] = str(len(head) + extent.length + len(PART_END) + len(closing(boundary)))
    body = _only_part(head, _read(representation, extent), boundary)
    return StreamedAnswer(body, 206 if "Content-Range" in headers else 200, headers)


def _stream(
    body: AsyncIterator[bytes],
    status: int,
    headers: dict[str, str],
    representation: Representation,
    length: int | None = None,
) -> Response:
    size = {"Content-Length": str(representation.length if length is None else length)}
    return StreamedAnswer(body, status, headers | size | {"Content-Type": representation.content_type})


def _read(representation: Representation, extent: ByteRange) -> AsyncIterator[bytes]:
    return representation.read(extent.offset, extent.length)


async def _only_part(head: bytes, content: AsyncIterator[bytes], boundary: str) -> AsyncIterator[bytes]:
    async for chunk in part(head, content):
        yield chunk
    yield closing(boundary)


async def _byteranges(
    representation: Representation, ranges: tuple[ByteRange, ...], boundary: str
) -> AsyncIterator[bytes]:
    for extent in ranges:
        head = byteranges_part_head(boundary, representation.content_type, extent, representation.length)
        async for chunk in part(head, _read(representation, extent)):
            yield chunk
    yield closing(boundary)
