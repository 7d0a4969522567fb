"""Conditional and range requests on instances, frames and bulk data (RFC 9110 13 and 14)."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.api.client import DICOM, DICOM_PARTS, OCTET_PARTS, OCTETS, Api, parts
from tests.api.files import native
from tests.instances import new_identity

PIXELS = bytes(range(256)) * 2


@dataclass(frozen=True, slots=True)
class Target:
    """A resource, the media types of its single part and of its multipart body, and its bytes."""

    path: str
    single: str
    multiple: str
    content: bytes


RESOURCES = ("instance", "frame", "bulk data")

pytestmark = pytest.mark.parametrize("resource", RESOURCES)


@pytest.fixture(scope="module")
def targets(shelf: Api) -> dict[str, Target]:
    identity = new_identity()
    file = native(identity, PIXELS)
    shelf.keep(file)
    return {
        "instance": Target(identity.path, DICOM, DICOM_PARTS, file),
        "frame": Target(f"{identity.path}/frames/1", OCTETS, OCTET_PARTS, PIXELS),
        "bulk data": Target(f"{identity.path}/bulkdata/7FE00010", OCTETS, OCTET_PARTS, PIXELS),
    }


@pytest.fixture
def target(targets: dict[str, Target], resource: str) -> Target:
    return targets[resource]


RANGES: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("bytes=0-0", lambda data: data[:1]),
    ("bytes=10-19", lambda data: data[10:20]),
    ("bytes=3-8", lambda data: data[3:9]),
    ("bytes=500-", lambda data: data[500:]),
    ("bytes=-1", lambda data: data[-1:]),
    ("bytes=-33", lambda data: data[-33:]),
    ("bytes=-1000000", lambda data: data),
    ("bytes=10-1000000", lambda data: data[10:]),
    ("Bytes = 10-19", lambda data: data[10:20]),
]


@pytest.mark.parametrize(("header", "cut"), RANGES)
def test_one_range(shelf: Api, target: Target, header: str, cut: Callable[[bytes], bytes]) -> None:
    answer = shelf.get(target.path, target.single, Range=header)
    expected = cut(target.content)
    assert (answer.status_code, answer.content) == (206, expected)
    first = target.content.index(expected) if header != "bytes=-1" else len(target.content) - 1
    label = answer.headers["content-range"]
    start, end, total = label.removeprefix("bytes ").replace("/", "-").split("-")
    assert (int(end) - int(start) + 1, int(total)) == (len(expected), len(target.content))
    assert int(start) == first or target.content[int(start) : int(end) + 1] == expected
    assert answer.headers["content-length"] == str(len(expected))


@pytest.mark.parametrize(("header", "cut"), RANGES[:4])
def test_a_range_of_a_multipart_answer_counts_within_its_part(
    shelf: Api, target: Target, header: str, cut: Callable[[bytes], bytes]
) -> None:
    answer = shelf.get(target.path, f"{target.multiple}; transfer-syntax=*", Range=header)
    assert answer.status_code == 206
    (part,) = parts(answer)
    assert part.content == cut(target.content)
    assert part.headers["Content-Range"] == answer.headers["content-range"]
    assert answer.headers["content-length"] == str(len(answer.content))


def test_several_ranges(shelf: Api, target: Target) -> None:
    answer = shelf.get(target.path, target.single, Range="bytes=0-3, 100-109, -5")
    assert answer.status_code == 206
    assert answer.headers["content-type"].startswith("multipart/byteranges; boundary=")
    data, size = target.content, len(target.content)
    assert [(part.headers["Content-Range"], part.content) for part in parts(answer)] == [
        (f"bytes 0-3/{size}", data[:4]),
        (f"bytes 100-109/{size}", data[100:110]),
        (f"bytes {size - 5}-{size - 1}/{size}", data[-5:]),
    ]
    assert {part.content_type.partition(";")[0] for part in parts(answer)} == {target.single}


@pytest.mark.parametrize("header", ["bytes=1000000-", "bytes=1000000-2000000", "bytes=1000000-,2000000-3000000"])
@pytest.mark.parametrize("form", ["single", "multiple"])
def test_beyond_the_end_is_416(shelf: Api, target: Target, header: str, form: str) -> None:
    answer = shelf.get(target.path, target.single if form == "single" else target.multiple, Range=header)
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(target.content)}"
    assert answer.json()["status"] == 416


@pytest.mark.parametrize(
    "header",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=9-3",
        "bytes=a-b",
        "pixels=0-1",
        "bytes=0-99,0-99,0-99",
        "bytes=0-1" + ",0-1" * 99,
    ],
)
def test_what_is_no_range_or_abuse_gives_the_whole(shelf: Api, target: Target, header: str) -> None:
    answer = shelf.get(target.path, target.single, Range=header)
    assert (answer.status_code, answer.content) == (200, target.content)


@pytest.mark.parametrize("form", ["single", "multiple"])
def test_ranges_are_offered(shelf: Api, target: Target, form: str) -> None:
    answer = shelf.get(target.path, target.single if form == "single" else target.multiple)
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["etag"].strip('"') != answer.headers["etag"]


@pytest.mark.parametrize(
    ("write", "holds"),
    [
        (lambda tag: tag, True),
        (lambda tag: tag.strip('"'), True),
        (lambda tag: f"W/{tag}", False),
        (lambda tag: '"another"', False),
        (lambda tag: "Wed, 21 Oct 2015 07:28:00 GMT", False),
        (lambda tag: "*", False),
    ],
    ids=["the tag", "without quotes", "weak", "another", "a date", "a star"],
)
def test_if_range(shelf: Api, target: Target, write: Callable[[str], str], holds: bool) -> None:
    tag = shelf.head(target.path, target.single).headers["etag"]
    answer = shelf.get(target.path, target.single, Range="bytes=0-9", If_Range=write(tag))
    expected = (206, target.content[:10]) if holds else (200, target.content)
    assert (answer.status_code, answer.content) == expected


@pytest.mark.parametrize(
    ("write", "matches"),
    [
        (lambda tag: tag, True),
        (lambda tag: tag.strip('"'), True),
        (lambda tag: f"W/{tag}", True),
        (lambda tag: f'"one", {tag}, "two"', True),
        (lambda tag: "*", True),
        (lambda tag: '"another"', False),
        (lambda tag: "", False),
    ],
    ids=["the tag", "without quotes", "weak", "in a list", "a star", "another", "empty"],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_if_none_match(shelf: Api, target: Target, method: str, write: Callable[[str], str], matches: bool) -> None:
    tag = shelf.head(target.path, target.single).headers["etag"]
    answer = shelf.request(method, target.path, accept=target.single, If_None_Match=write(tag))
    assert answer.status_code == (304 if matches else 200)
    assert answer.headers["etag"] == tag
    if matches:
        assert answer.content == b""
        assert "Accept" in answer.headers["vary"]


def test_if_none_match_is_weighed_before_range(shelf: Api, target: Target) -> None:
    tag = shelf.head(target.path, target.single).headers["etag"]
    answer = shelf.get(target.path, target.single, Range="bytes=0-9", If_None_Match=tag)
    assert answer.status_code == 304


@pytest.mark.parametrize("form", ["single", "multiple"])
def test_head(shelf: Api, target: Target, form: str) -> None:
    """Range means nothing to HEAD (RFC 9110 14.2)."""
    accept = target.single if form == "single" else target.multiple
    head, get = shelf.head(target.path, accept, Range="bytes=0-9"), shelf.get(target.path, accept)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "etag", "accept-ranges", "vary"):
        assert head.headers[name] == get.headers[name]


def test_large_values_are_read_in_part(api: Api, resource: str) -> None:
    """Beyond what is read in one go."""
    identity = new_identity()
    pixels = bytes(range(256)) * 8192 * 4
    file = native(identity, pixels, side=2048)
    api.keep(file)
    path, accept, content = {
        "instance": (identity.path, DICOM, file),
        "frame": (f"{identity.path}/frames/1", OCTETS, pixels[: 2048 * 2048 * 2]),
        "bulk data": (f"{identity.path}/bulkdata/7FE00010", OCTETS, pixels),
    }[resource]
    for header, start, end in (("bytes=1-3000001", 1, 3000002), ("bytes=-7", len(content) - 7, len(content))):
        assert api.get(path, accept, Range=header).content == content[start:end]
    assert api.get(path, accept).content == content
