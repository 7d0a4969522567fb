import re
import tracemalloc
from collections.abc import AsyncIterator, Iterable, Iterator

import pytest
from dicomweb_client.web import DICOMwebClient
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.dicomweb.media_types import parse_content_type
from shared.dicomweb.multipart import (
    DEFAULT_LIMITS,
    MAX_CHUNK,
    MultipartLimits,
    Part,
    boundary_of,
    read_parts,
)
from shared.dicomweb.multipart_writer import PART_END, closing, part_head
from shared.errors import MalformedMultipart, PayloadTooLarge, ServiceError, UnsupportedMediaType

BOUNDARY = b"bound"
KIB = 1024


async def stream(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def cut(body: bytes, sizes: list[int]) -> Iterator[bytes]:
    """The body in chunks of these sizes, and the rest in one."""
    start = 0
    for size in sizes:
        yield body[start : start + size]
        start += size
    yield body[start:]


async def read(
    chunks: Iterable[bytes], boundary: bytes = BOUNDARY, limits: MultipartLimits = DEFAULT_LIMITS
) -> list[tuple[dict[str, str], bytes]]:
    return [
        (dict(part.headers), b"".join([chunk async for chunk in part]))
        async for part in read_parts(stream(chunks), boundary, limits)
    ]


def written(contents: Iterable[bytes], headers: dict[str, str] | None = None) -> bytes:
    head = part_head(BOUNDARY.decode(), headers or {"Content-Type": "application/dicom"})
    return b"".join(head + content + PART_END for content in contents) + closing(BOUNDARY.decode())


DICOM_HEAD = b"Content-Type: application/dicom\r\n\r\n"
DICOM = {"content-type": "application/dicom"}

WELL_FORMED = {
    "as written here": (written([b"one", b"two"]), [(DICOM, b"one"), (DICOM, b"two")]),
    "leading CRLF": (b"\r\n" + written([b"one"]), [(DICOM, b"one")]),
    "leading line feeds and spaces": (b"\n \r\n\t" + written([b"one"]), [(DICOM, b"one")]),
    "preamble": (b"This is MIME.\r\nRead on.\r\n" + written([b"one"]), [(DICOM, b"one")]),
    "preamble with the boundary in its text": (
        b"see --bound\r\n--boundless\r\n" + written([b"one"]),
        [(DICOM, b"one")],
    ),
    "no CRLF at the end": (b"--bound\r\n" + DICOM_HEAD + b"one\r\n--bound--", [(DICOM, b"one")]),
    "epilogue": (written([b"one"]) + b"\r\n--bound\r\nnot a part", [(DICOM, b"one")]),
    "epilogue on the line of the end": (b"--bound\r\n" + DICOM_HEAD + b"one\r\n--bound-- bye", [(DICOM, b"one")]),
    "white space after boundaries": (
        b"--bound \t\r\n" + DICOM_HEAD + b"one\r\n--bound \r\n" + DICOM_HEAD + b"two\r\n--bound--  ",
        [(DICOM, b"one"), (DICOM, b"two")],
    ),
    "LF in headers": (
        b"--bound\nContent-Type: application/dicom\nContent-Location: a/b\n\none\r\n--bound--",
        [({"content-type": "application/dicom", "content-location": "a/b"}, b"one")],
    ),
    "no headers": (b"--bound\r\n\r\none\r\n--bound--", [({}, b"one")]),
    "no headers, LF": (b"--bound\n\none\r\n--bound--", [({}, b"one")]),
    "folded and spaced headers": (
        b"--bound\r\nCONTENT-TYPE :  application/dicom;\r\n\ttransfer-syntax=1.2  \r\nX:\r\n\r\none\r\n--bound--",
        [({"content-type": "application/dicom; transfer-syntax=1.2", "x": ""}, b"one")],
    ),
    "the first of two equal headers counts": (
        b"--bound\r\nContent-Type: a/b\r\ncontent-type: c/d\r\n\r\none\r\n--bound--",
        [({"content-type": "a/b"}, b"one")],
    ),
    "empty content": (b"--bound\r\n" + DICOM_HEAD + b"\r\n--bound--", [(DICOM, b"")]),
    "content of line breaks": (
        written([b"\r\n\r\n", b"\n", b"\r"]),
        [(DICOM, b"\r\n\r\n"), (DICOM, b"\n"), (DICOM, b"\r")],
    ),
    "boundaries without CRLF in content": (
        written([b"--bound--\n--bound\r\n x--bound--"]),
        [(DICOM, b"--bound--\n--bound\r\n x--bound--")],
    ),
    "longer boundaries in content": (
        written([b"a\r\n--boundary\r\n--bound-x\r\n--bound x\r\n--bound\rx\r\n--boun"]),
        [(DICOM, b"a\r\n--boundary\r\n--bound-x\r\n--bound x\r\n--bound\rx\r\n--boun")],
    ),
    "much white space after a boundary in content": (
        written([b"a\r\n--bound" + b" " * 65 + b"\r\nb"]),
        [(DICOM, b"a\r\n--bound" + b" " * 65 + b"\r\nb")],
    ),
    "half a delimiter before the delimiter": (
        written([b"a\r\n--\r", b"\r\n--boun"]),
        [(DICOM, b"a\r\n--\r"), (DICOM, b"\r\n--boun")],
    ),
    "no parts": (b"--bound--", []),
    "no parts, with line breaks": (b"\r\n--bound--\r\n", []),
    "nothing": (b"", []),
    "white space only": (b"\r\n \n", []),
}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
@pytest.mark.parametrize("name", WELL_FORMED)
async def test_bodies_that_clients_send_are_read(name: str, size: int) -> None:
    body, parts = WELL_FORMED[name]
    assert await read(cut(body, [size] * (len(body) // size))) == parts


MALFORMED = {
    "no boundary": b"hello",
    "another boundary": b"--other\r\n\r\none\r\n--other--",
    "line feeds before boundaries": b"--bound\n\none\n--bound--\n",
    "no closing boundary": b"--bound\r\n" + DICOM_HEAD + b"one\r\n",
    "ends after a boundary": b"--bound\r\n" + DICOM_HEAD + b"one\r\n--bound",
    "ends after a hyphen": b"--bound\r\n" + DICOM_HEAD + b"one\r\n--bound-",
    "ends after white space": b"--bound\r\n" + DICOM_HEAD + b"one\r\n--bound  \r",
    "only a boundary": b"--bound",
    "ends within headers": b"--bound\r\nContent-Type: application/dicom\r\n",
    "ends before headers": b"--bound\r\n",
    "no blank line": b"--bound\r\none\r\n--bound--\r\n\r\n",
    "a header without a colon": b"--bound\r\nContent-Type\r\n\r\none\r\n--bound--",
    "a header without a name": b"--bound\r\n: application/dicom\r\n\r\none\r\n--bound--",
}


@pytest.mark.parametrize("size", [1, 5, 10_000])
@pytest.mark.parametrize("name", MALFORMED)
async def test_broken_bodies_are_refused(name: str, size: int) -> None:
    body = MALFORMED[name]
    with pytest.raises(MalformedMultipart):
        await read(cut(body, [size] * (len(body) // size)))


async def test_a_body_that_breaks_off_gives_what_came_before() -> None:
    body = written([b"one", b"two"])[: -len("\r\n--bound--\r\n")]
    seen: list[bytes] = []
    parts = read_parts(stream([body]), BOUNDARY)
    first = await anext(parts)
    seen.extend([chunk async for chunk in first])
    last = await anext(parts)
    seen.append(await anext(last))
    with pytest.raises(MalformedMultipart):
        await anext(last)
    with pytest.raises(MalformedMultipart):
        await anext(parts)
    assert seen == [b"one", b"two"]


@pytest.mark.parametrize(
    ("body", "limits", "error"),
    [
        (b"--bound\r\nX: " + b"x" * 2000 + b"\r\n\r\none\r\n--bound--", MultipartLimits(head=2000), MalformedMultipart),
        (b"--bound\r\nX: " + b"x" * 20_000, DEFAULT_LIMITS, MalformedMultipart),
        (b"--bound\r\n" + b"X: y\r\n" * 5 + b"\r\none\r\n--bound--", MultipartLimits(headers=4), MalformedMultipart),
        (written([b"x"] * 4), MultipartLimits(parts=3), PayloadTooLarge),
    ],
)
async def test_limits_are_kept(body: bytes, limits: MultipartLimits, error: type[ServiceError]) -> None:
    with pytest.raises(error):
        await read([body], limits=limits)
    with pytest.raises(error):
        await read(cut(body, [1] * len(body)), limits=limits)


@pytest.mark.parametrize("chunk", [1, 50, 100_000])
async def test_what_is_just_within_the_limits_passes(chunk: int) -> None:
    block = b"\r\nA: " + b"x" * 94 + b"\r\nB: y"
    body = b"--bound" + (block + b"\r\n\r\none\r\n--bound") * 2 + b"--"
    exact = MultipartLimits(head=len(block), headers=2, parts=2)
    assert len(await read(cut(body, [chunk] * (len(body) // chunk)), limits=exact)) == 2
    with pytest.raises(MalformedMultipart):
        await read(
            cut(body, [chunk] * (len(body) // chunk)), limits=MultipartLimits(head=len(block) - 4, headers=2, parts=2)
        )


@pytest.mark.parametrize("boundary", [b"", b"x" * 201, b"a\rb", b"a\nb"])
async def test_impossible_boundaries_are_refused(boundary: bytes) -> None:
    with pytest.raises(MalformedMultipart):
        await read([b"--a--"], boundary)


FRAGMENTS = st.sampled_from(
    [
        b"\r\n--bound",
        b"\r\n--boun",
        b"\r\n",
        b"\r",
        b"\n",
        b"--",
        b"-",
        b"bound",
        b" ",
        b":",
        b"A: b",
        b"\r\n\r\n",
        b"x",
    ]
)
FRAMING = st.sampled_from([b"\r\n--bound\r\n\r\n", b"\r\n--bound\nA:\n\n", b"\r\n--bound--", b"--bound\r\n"])
CONTENT = st.lists(FRAGMENTS | st.binary(max_size=20), max_size=12).map(b"".join)
SIZES = st.lists(st.integers(0, 12), max_size=80)
DELIMITER = re.compile(rb"\r\n--bound(?:(--)|[ \t]{0,64}\r?\n)")


@given(st.lists(CONTENT, max_size=6), SIZES, st.sampled_from([b"", b"\r\n", b"preamble\r\n"]))
async def test_any_parts_in_any_chunks_come_out_as_they_went_in(
    contents: list[bytes], sizes: list[int], before: bytes
) -> None:
    assume(not any(DELIMITER.search(content + b"\r\n") for content in contents))
    assert await read(cut(before + written(contents), sizes)) == [(DICOM, content) for content in contents]


NO_HEADER = re.compile(rb"\n(?![ \t\r]*[^ \t\r\n:][^\n:]*:)")


def reference(body: bytes) -> list[tuple[bytes, bytes]] | None:
    """Head and content of each part of a whole body, or None if it is broken."""
    body = body.lstrip()
    if not body:
        return []
    body = b"\r\n" + body
    parts = []
    delimiter = DELIMITER.search(body)
    while delimiter and not delimiter[1]:
        blank = re.compile(rb"\n\r?\n").search(body, delimiter.end() - 1)
        if not blank:
            return None
        head = body[delimiter.end() - 1 : blank.start()]
        delimiter = DELIMITER.search(body, blank.end())
        if delimiter:
            parts.append((head, body[blank.end() : delimiter.start()]))
    return parts if delimiter else None


@settings(max_examples=1000)
@given(st.lists(FRAMING | FRAGMENTS | st.binary(max_size=4), max_size=40).map(b"".join), SIZES)
async def test_any_bytes_are_read_as_the_grammar_says_or_refused(body: bytes, sizes: list[int]) -> None:
    expected = reference(body)
    try:
        parts = await read(cut(body, sizes))
    except ServiceError:
        assert expected is None or any(NO_HEADER.search(head) for head, _ in expected)
    else:
        assert expected is not None
        assert [content for _, content in parts] == [content for _, content in expected]


async def test_a_part_can_be_read_in_several_goes_or_not_at_all() -> None:
    body = written([b"one" * 10, b"two" * 10, b"three" * 10])
    seen: list[bytes] = []
    async for part in read_parts(stream(cut(body, [5] * 100)), BOUNDARY):
        seen.append(bytes(await anext(part, b"")))
        if len(seen) == 2:
            seen.append(b"".join([chunk async for chunk in part]))
    assert b"".join(seen[1:3]) == b"two" * 10
    assert seen[0].startswith(b"o")
    assert seen[3].startswith(b"t")


async def test_a_part_that_is_past_gives_nothing() -> None:
    parts: list[Part] = []
    async for part in read_parts(stream([written([b"one", b"two"])]), BOUNDARY):
        if parts:
            assert [chunk async for chunk in parts[0]] == []
            assert [chunk async for chunk in part] == [b"two"]
        parts.append(part)
    assert [[chunk async for chunk in part] for part in parts] == [[], []]


async def test_headers_are_found_in_any_letter_case() -> None:
    headers = {"Content-Type": 'application/dicom; transfer-syntax="1.2"', "Content-Location": "bulk/1"}
    async for part in read_parts(stream([written([b""], headers)]), BOUNDARY):
        assert part.headers["CONTENT-type"] == headers["Content-Type"]
        assert "content-LOCATION" in part.headers
        assert len(part.headers) == 2
        assert part.content_type is not None
        assert part.content_type.essence == "application/dicom"
        assert part.content_type.params == {"transfer-syntax": "1.2"}
        assert part.content_location == "bulk/1"


async def test_a_part_may_lack_a_content_type_but_not_have_a_bad_one() -> None:
    body = b"--bound\r\n\r\n\r\n--bound\r\nContent-Type: dicom\r\n\r\n\r\n--bound--"
    parts = [part async for part in read_parts(stream([body]), BOUNDARY)]
    assert parts[0].content_type is None
    assert parts[0].content_location is None
    with pytest.raises(UnsupportedMediaType):
        _ = parts[1].content_type


async def test_chunks_within_content_pass_through_uncopied() -> None:
    whole = [bytes([n]) * 64 * KIB for n in range(1, 9)]
    chunks = [written([b""]).split(PART_END + b"--bound--")[0], *whole, b"\r\n--bound--"]
    async for part in read_parts(stream(chunks), BOUNDARY):
        got = [chunk async for chunk in part]
        assert [id(chunk) for chunk in got] == [id(chunk) for chunk in whole]


async def test_a_huge_chunk_is_given_on_in_pieces() -> None:
    content = bytes(5 * MAX_CHUNK)
    async for part in read_parts(stream([written([content])]), BOUNDARY):
        chunks = [chunk async for chunk in part]
        assert max(map(len, chunks)) <= MAX_CHUNK + 100
        assert b"".join(chunks) == content


HEAD = b"--bound\r\n\r\n"
ENDLESS = {
    "content": (HEAD, b"x" * 64 * KIB),
    "half delimiters": (HEAD, b"\r\n--boun" * 8 * KIB),
    "boundaries that are none": (HEAD, b"\r\n--boundX" * 2 * KIB),
    "carriage returns": (HEAD, b"\r" * 64 * KIB),
    "white space before the first boundary": (b"", b"\r\n " * 16 * KIB),
    "preamble": (b"", b"preamble" * 8 * KIB),
    "white space after a boundary": (HEAD + b"\r\n--bound", b" " * 64 * KIB),
    "a header": (b"--bound\r\n", b"X" * 64 * KIB),
    "headers": (b"--bound\r\n", b"A: b\r\n" * 8 * KIB),
    "parts": (b"", (b"--bound\r\n\r\n" + b"x" * KIB + b"\r\n") * 64),
}


@pytest.mark.parametrize("name", ENDLESS)
async def test_memory_stays_bounded_whatever_comes(name: str) -> None:
    begin, repeated = ENDLESS[name]
    tracemalloc.start()
    try:
        async for part in read_parts(stream([begin, *[repeated] * 200]), BOUNDARY):
            async for chunk in part:
                assert len(chunk) <= MAX_CHUNK + 100
    except MalformedMultipart:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 4 * len(repeated) + 64 * KIB


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/related; type=application/dicom; boundary=abc", b"abc"),
        ('multipart/related; type="application/dicom"; boundary="a b=c"', b"a b=c"),
        ("Multipart/Related;Boundary=----=_Part_0_1.2", b"----=_Part_0_1.2"),
    ],
)
def test_the_boundary_may_be_quoted_or_not(content_type: str, boundary: bytes) -> None:
    assert boundary_of(parse_content_type(content_type)) == boundary


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/related",
        "multipart/related; boundary=",
        'multipart/related; boundary=""',
        "multipart/form-data; boundary=abc",
        "application/dicom; boundary=abc",
    ],
)
def test_a_body_without_a_boundary_is_an_unsupported_media_type(content_type: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        boundary_of(parse_content_type(content_type))


async def test_what_the_python_client_sends_is_read() -> None:
    content_type = 'multipart/related; type="application/dicom"; boundary="0f3cf5c0-70e0-41ef-baef-c6f9f65ec3e1"'
    body = DICOMwebClient._encode_multipart_message([b"one", b"\r\ntwo\r\n"], content_type)
    assert body.startswith(b"\r\n--")
    assert not body.endswith(b"\r\n")
    parts = await read([body], boundary_of(parse_content_type(content_type)))
    assert parts == [(DICOM, b"one"), (DICOM, b"\r\ntwo\r\n")]


async def test_metadata_with_bulk_data_is_read() -> None:
    # As dcm4che's stowrs sends it: XML or JSON first, then parts named by Content-Location.
    body = (
        b"\r\n--bound\r\nContent-Type: application/dicom+xml; transfer-syntax=1.2.840.10008.1.2.1\r\n\r\n<x/>"
        b"\r\n--bound\r\nContent-Type: image/jpeg\r\nContent-Location: bulk\r\n\r\n\xff\xd8\r\n\xff\xd9\r\n--bound--"
    )
    assert [(headers.get("content-location"), content) for headers, content in await read([body])] == [
        (None, b"<x/>"),
        ("bulk", b"\xff\xd8\r\n\xff\xd9"),
    ]
