"""What is written is read back here the way that each client does it."""

import re
from collections.abc import AsyncIterator
from io import BytesIO

import pytest
from dicomweb_client.web import DICOMwebClient
from requests import Response

from shared.dicomweb.media_types import parse_content_type, with_transfer_syntax
from shared.dicomweb.multipart_writer import PART_END, closing, new_boundary, part, part_head, related_content_type

CONTENTS = [b"\xff\xd8first\r\n\xff\xd9", b"", b"--", b"\r\n\r\nthird\r\n"]


def written(contents: list[bytes], boundary: str, content_type: str) -> bytes:
    head = part_head(boundary, {"Content-Type": content_type})
    return b"".join(head + content + PART_END for content in contents) + closing(boundary)


def test_a_body_is_written_to_the_byte() -> None:
    assert written([b"one", b"two"], "b", "application/dicom; transfer-syntax=1.2") == (
        b"--b\r\nContent-Type: application/dicom; transfer-syntax=1.2\r\n\r\none\r\n"
        b"--b\r\nContent-Type: application/dicom; transfer-syntax=1.2\r\n\r\ntwo\r\n"
        b"--b--\r\n"
    )


async def chunks(*contents: bytes) -> AsyncIterator[bytes]:
    for content in contents:
        yield content


async def test_a_head_goes_out_with_the_first_of_its_content() -> None:
    assert [chunk async for chunk in part(b"head ", chunks(b"one ", b"two"))] == [b"head one ", b"two", PART_END]
    assert [chunk async for chunk in part(b"head", chunks())] == [b"head" + PART_END]


async def test_a_part_that_can_not_be_read_never_begins() -> None:
    async def broken() -> AsyncIterator[bytes]:
        raise LookupError
        yield b""

    with pytest.raises(LookupError):
        await anext(part(b"head", broken()))


def test_a_body_without_parts_is_the_closing_boundary() -> None:
    assert written([], "b", "application/dicom") == b"--b--\r\n"


def test_a_part_may_say_where_it_is_from() -> None:
    head = part_head("b", {"Content-Type": "image/jls", "Content-Location": "http://x/frames/1"})
    assert head == b"--b\r\nContent-Type: image/jls\r\nContent-Location: http://x/frames/1\r\n\r\n"


def test_the_outer_type_is_quoted_and_the_boundary_needs_no_quotes() -> None:
    boundary = new_boundary()
    value = related_content_type("application/dicom", boundary)
    assert value == f'multipart/related; type="application/dicom"; boundary={boundary}'
    assert re.fullmatch("[0-9a-f]{32}", boundary)
    assert parse_content_type(value).params == {"type": "application/dicom", "boundary": boundary}


def test_boundaries_are_never_the_same() -> None:
    assert len({new_boundary() for _ in range(1000)}) == 1000


@pytest.mark.parametrize("stream", [True, False])
def test_the_python_client_reads_it(stream: bool) -> None:
    boundary = new_boundary()
    answer = Response()
    answer.headers["content-type"] = related_content_type("image/jpeg", boundary)
    answer.raw = BytesIO(written(CONTENTS, boundary, "image/jpeg; transfer-syntax=1.2"))
    client = DICOMwebClient("http://localhost", chunk_size=7)
    assert [bytes(part) for part in client._decode_multipart_message(answer, stream=stream)] == CONTENTS


def test_cornerstone_reads_it() -> None:
    # It finds the boundary and the Content-Type by their first letters in the lines before the first blank one.
    body = written([CONTENTS[0]], new_boundary(), with_transfer_syntax("image/jls", "1.2.840.10008.1.2.4.80"))
    head_end = body.index(b"\r\n\r\n")
    lines = body[:head_end].split(b"\r\n")
    boundary = next(line for line in lines if line[:2] == b"--")
    content_type = next(line[13:].strip() for line in lines if line[:13] == b"Content-Type:")
    assert body[head_end + 4 : body.index(boundary, head_end + 4) - 2] == CONTENTS[0]
    pairs = dict(pair.strip().split(b"=") for pair in content_type.split(b";") if b"=" in pair)
    assert content_type.split(b";")[0] == b"image/jls"
    assert pairs == {b"transfer-syntax": b"1.2.840.10008.1.2.4.80"}


def test_the_javascript_client_reads_it() -> None:
    # It wants the boundary within the first 1,000 bytes, and cuts two bytes before each next one.
    body = written(CONTENTS, new_boundary(), with_transfer_syntax("application/dicom", "1.2.840.10008.1.2.1"))
    head_end = body.index(b"\r\n\r\n")
    assert head_end < 1000
    boundary = next(line for line in body[:head_end].split(b"\r\n") if line.startswith(b"--"))
    offset, parts = head_end + 4, []
    while (found := body.find(boundary, offset)) >= 0:
        parts.append(body[offset : found - 2])
        offset = found + head_end + 4
    assert parts == CONTENTS
