"""Writing multipart bodies as a stream (RFC 2046 5.1, RFC 2387): the caller sends each part, then the closing
delimiter.

What is written is what viewers parse with string functions: no preamble, short heads, exactly CRLF before the
next boundary, a boundary that needs no quotes.
"""

import secrets
from collections.abc import AsyncIterator, Mapping

PART_END = b"\r\n"
SMALL = 16 * 1024
"""Bytes below which a chunk is put together with the head rather than sent by itself."""


def new_boundary() -> str:
    """A boundary that no content holds but by a chance of 1 in 2**128; 32 hexadecimal digits."""
    return secrets.token_hex(16)


def related_content_type(part_type: str, boundary: str) -> str:
    """The Content-Type of a multipart/related body whose parts are ``part_type``, such as ``application/dicom``."""
    return f'multipart/related; type="{part_type}"; boundary={boundary}'


def part_head(boundary: str, headers: Mapping[str, str]) -> bytes:
    """What stands before a part's content: the boundary and the part's headers, Content-Type first."""
    lines = [f"--{boundary}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")


async def part(head: bytes, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A part's head, content and end; nothing at all if the first of the content can't be read."""
    async for chunk in content:
        if len(chunk) < SMALL:
            yield head + chunk
        else:
            if head:
                yield head
            yield chunk
        head = b""
    yield head + PART_END


def closing(boundary: str) -> bytes:
    """What stands after the last part."""
    return f"--{boundary}--\r\n".encode()
