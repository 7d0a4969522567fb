"""Frames: native and compressed ones, one or several, in every form they can be had in (PS3.18 10.4.1.1.6)."""

from collections.abc import Sequence

import httpx
import pytest

from tests.api.client import DICOM, OCTET_PARTS, OCTETS, Api, parts
from tests.api.files import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG,
    RLE,
    encapsulated,
    native,
    without_pixels,
)
from tests.instances import Identity, new_identity

JPEG_2000 = "1.2.840.10008.1.2.4.90"
JPEG_LS = "1.2.840.10008.1.2.4.80"
HTJ2K = "1.2.840.10008.1.2.4.203"
MPEG_4 = "1.2.840.10008.1.2.4.102"
OHIF = "multipart/related; type=application/octet-stream; transfer-syntax=*"

THREE = [bytes([number]) * 512 for number in (1, 2, 3)]
JPEGS = [b"\xff\xd8" + bytes([number]) * (100 + 2 * number) + b"\xff\xd9" for number in range(4)]
"""Frames of even length, each ended as a JPEG is, so that none needs padding."""


def frames(api: Api, identity: Identity, numbers: str, accept: str | None = None) -> list[bytes]:
    answer = api.get(f"{identity.path}/frames/{numbers}", accept)
    assert answer.status_code == 200, answer.text
    return [part.content for part in parts(answer)]


@pytest.fixture(scope="module")
def three(shelf: Api) -> Identity:
    """Three uncompressed frames."""
    identity = new_identity()
    shelf.keep(native(identity, b"".join(THREE), frames=3))
    return identity


@pytest.fixture(scope="module")
def compressed(shelf: Api) -> Identity:
    """Four JPEG frames."""
    identity = new_identity()
    shelf.keep(encapsulated(identity, JPEGS))
    return identity


@pytest.mark.parametrize("form", ["/frames/{}", "/Frames/{}"])
@pytest.mark.parametrize("numbers", ["1", "2", "3", "1,2,3", "3,1", "2,2,2", "001,3", "1%2C3"])
def test_frames_come_in_the_order_asked_for(shelf: Api, three: Identity, form: str, numbers: str) -> None:
    answer = shelf.get(three.path + form.format(numbers))
    expected = [THREE[int(number) - 1] for number in numbers.replace("%2C", ",").split(",")]
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(f"{OCTET_PARTS}; boundary=")
    assert [part.content for part in parts(answer)] == expected
    assert {part.content_type for part in parts(answer)} == {f"{OCTETS}; transfer-syntax={EXPLICIT}"}


@pytest.mark.parametrize(
    "numbers", ["0", "-1", "1,-1", "0,1", "a", "1,", ",1", "1,,2", "1.5", "1;2", "%20", "1-3", "²"]
)
def test_a_list_that_holds_no_frame_numbers_is_400(shelf: Api, three: Identity, numbers: str) -> None:
    answer = shelf.get(f"{three.path}/frames/{numbers}")
    assert answer.status_code == 400
    assert "frame" in answer.json()["detail"]


@pytest.mark.parametrize("numbers", ["4", "1,4", "999999999"])
def test_a_frame_that_is_not_there_is_404(shelf: Api, three: Identity, compressed: Identity, numbers: str) -> None:
    answer = shelf.get(f"{three.path}/frames/{numbers}")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "The specified frame cannot be found."
    assert shelf.get(f"{compressed.path}/frames/{numbers.replace('4', '5')}").status_code == 404


def test_an_instance_without_pixels_has_no_frames(api: Api) -> None:
    identity = new_identity()
    api.keep(without_pixels(identity))
    assert api.get(f"{identity.path}/frames/1").status_code == 404


def test_frames_of_an_instance_that_is_not_there(api: Api) -> None:
    answer = api.get(f"{new_identity().path}/frames/1")
    assert (answer.status_code, answer.json()["detail"]) == (404, "The specified instance cannot be found.")


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, OCTET_PARTS),
        ("*/*", OCTET_PARTS),
        (OHIF, OCTET_PARTS),
        (OCTET_PARTS, OCTET_PARTS),
        (f"{OCTET_PARTS}; transfer-syntax={EXPLICIT}", OCTET_PARTS),
        (f"{OCTET_PARTS}; transfer-syntax={IMPLICIT}", OCTET_PARTS),
        (f"{OCTET_PARTS}; transfer-syntax={BIG_ENDIAN}", OCTET_PARTS),
        ('multipart/related; type="*/*"', OCTET_PARTS),
        ('multipart/related; type="image/jpeg", multipart/related; type="application/octet-stream"', OCTET_PARTS),
        (OCTETS, OCTETS),
        (f"{OCTETS}; transfer-syntax=*", OCTETS),
        (f"{OCTETS}; transfer-syntax={EXPLICIT}", OCTETS),
        (f"{OCTETS};q=0.1, {OCTET_PARTS};q=0.2", OCTET_PARTS),
        (f"{OCTETS}; q=0.5, image/jpeg", OCTETS),
    ],
)
def test_one_uncompressed_frame(shelf: Api, three: Identity, accept: str | None, form: str) -> None:
    answer = shelf.get(f"{three.path}/frames/2", accept)
    assert answer.status_code == 200
    label = f"{OCTETS}; transfer-syntax={EXPLICIT}"
    if form == OCTETS:
        assert (answer.headers["content-type"], answer.content) == (label, THREE[1])
    else:
        (part,) = parts(answer)
        assert (part.content_type, part.content) == (label, THREE[1])
    assert answer.headers["content-length"] == str(len(answer.content))


@pytest.mark.parametrize(
    "accept",
    [
        "image/jpeg",
        'multipart/related; type="image/jp2"',
        f"{OCTET_PARTS}; transfer-syntax={JPEG_2000}",
        DICOM,
        "application/dicom+json",
        f"{OCTET_PARTS};q=0",
    ],
)
def test_what_an_uncompressed_frame_is_not_available_as_is_406(shelf: Api, three: Identity, accept: str) -> None:
    for numbers in ("1", "1,2"):
        assert shelf.get(f"{three.path}/frames/{numbers}", accept).status_code == 406


@pytest.mark.parametrize("accept", [OCTETS, f"{OCTETS}; transfer-syntax=*", f"image/jpeg, {OCTETS}"])
def test_several_frames_have_no_single_part(shelf: Api, three: Identity, accept: str) -> None:
    assert shelf.get(f"{three.path}/frames/1,2", accept).status_code == 400


@pytest.mark.parametrize(
    ("accept", "single"),
    [
        (None, False),
        ("*/*", False),
        (OHIF, False),
        ('multipart/related; type="image/jpeg"', False),
        (f'multipart/related; type="image/jpeg"; transfer-syntax={JPEG}', False),
        ('multipart/related; type="image/*"', False),
        ("image/jpeg", True),
        ("image/jpeg; transfer-syntax=*", True),
        (f"image/jpeg; transfer-syntax={JPEG}", True),
        ("image/*", True),
        (f"{OCTETS}; transfer-syntax=*", True),
    ],
)
def test_one_compressed_frame(shelf: Api, compressed: Identity, accept: str | None, single: bool) -> None:
    answer = shelf.get(f"{compressed.path}/frames/3", accept)
    label = f"image/jpeg; transfer-syntax={JPEG}"
    if single:
        assert (answer.headers["content-type"], answer.content) == (label, JPEGS[2])
    else:
        assert answer.headers["content-type"].startswith('multipart/related; type="image/jpeg"; boundary=')
        assert [(part.content_type, part.content) for part in parts(answer)] == [(label, JPEGS[2])]


@pytest.mark.parametrize(
    "accept", ["image/jp2", OCTETS, OCTET_PARTS, f"image/jpeg; transfer-syntax={JPEG_2000}", "image/png", DICOM]
)
def test_what_a_compressed_frame_is_not_available_as_is_406(shelf: Api, compressed: Identity, accept: str) -> None:
    answer = shelf.get(f"{compressed.path}/frames/1", accept)
    assert answer.status_code == 406
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    ("syntax", "media_type"),
    [
        (JPEG, "image/jpeg"),
        (RLE, "image/dicom-rle"),
        (JPEG_LS, "image/jls"),
        (JPEG_2000, "image/jp2"),
        (HTJ2K, "image/jphc"),
        (MPEG_4, "video/mp4"),
    ],
)
def test_frames_are_labelled_by_their_transfer_syntax(api: Api, syntax: str, media_type: str) -> None:
    identity = new_identity()
    api.keep(encapsulated(identity, [b"compressed"], transfer_syntax=syntax))
    for accept in (OHIF, "*/*", f'multipart/related; type="{media_type}"; transfer-syntax=*'):
        (part,) = parts(api.get(f"{identity.path}/frames/1", accept))
        assert (part.content_type, part.content) == (f"{media_type}; transfer-syntax={syntax}", b"compressed")


@pytest.mark.parametrize(("table", "fragments"), [("basic", 1), ("basic", 3), ("extended", 1), (None, 1), (None, 3)])
def test_offset_tables_and_fragments(api: Api, table: str | None, fragments: int) -> None:
    """A frame is its fragments together; without a table its end is the end of a JPEG."""
    identity = new_identity()
    api.keep(encapsulated(identity, JPEGS, table=table, fragments=fragments))
    assert frames(api, identity, "4,2,1,3") == [JPEGS[index] for index in (3, 1, 0, 2)]


def test_one_frame_in_many_fragments_without_a_table(api: Api) -> None:
    identity = new_identity()
    content = bytes(range(256)) * 5
    api.keep(encapsulated(identity, [content], transfer_syntax=RLE, table=None, fragments=7))
    assert frames(api, identity, "1") == [content]


def test_frames_that_cannot_be_told_apart_are_404_but_the_file_is_there(api: Api) -> None:
    identity = new_identity()
    file = encapsulated(identity, [b"a" * 100, b"b" * 100], transfer_syntax=RLE, table=None, fragments=2)
    api.keep(file)
    assert api.get(f"{identity.path}/frames/1").status_code == 404
    assert api.get(identity.path, DICOM).content == file


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, DEFLATED, BIG_ENDIAN])
@pytest.mark.parametrize("numbers", ["1", "3", "2,3,1"])
def test_uncompressed_frames_are_little_endian_whatever_they_are_stored_in(api: Api, syntax: str, numbers: str) -> None:
    identity = new_identity()
    expected = [(bytes(range(number, 256)) * 3)[:512] for number in range(3)]
    api.keep(native(identity, b"".join(expected), transfer_syntax=syntax, frames=3))
    assert frames(api, identity, numbers) == [expected[int(number) - 1] for number in numbers.split(",")]


@pytest.mark.parametrize("syntax", [DEFLATED, BIG_ENDIAN])
@pytest.mark.parametrize(("first", "last"), [(0, 0), (1, 2), (0, 511), (511, 511), (301, 398)])
def test_ranges_of_frames_that_are_not_stored_as_they_are_sent(api: Api, syntax: str, first: int, last: int) -> None:
    identity = new_identity()
    frame = bytes(range(256)) * 2
    api.keep(native(identity, bytes(512) + frame, transfer_syntax=syntax, frames=2))
    answer = api.get(f"{identity.path}/frames/2", OCTETS, Range=f"bytes={first}-{last}")
    assert (answer.status_code, answer.content) == (206, frame[first : last + 1])


def packed(bits: Sequence[int]) -> bytes:
    """Bits from the least significant of each byte on (PS3.5 8.1.1)."""
    return sum(bit << position for position, bit in enumerate(bits)).to_bytes((len(bits) + 7) // 8, "little")


@pytest.mark.parametrize("side", [3, 8, 5])
@pytest.mark.parametrize("syntax", [EXPLICIT, DEFLATED])
def test_bit_packed_frames_begin_at_a_byte(api: Api, side: int, syntax: str) -> None:
    """In the file they follow one another without a gap."""
    identity = new_identity()
    masks = [[(pixel * 7 + number) % 3 == 0 for pixel in range(side * side)] for number in range(5)]
    pixels = packed([bit for mask in masks for bit in mask])
    pixels += bytes(len(pixels) % 2)
    bits = {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0}
    api.keep(native(identity, pixels, transfer_syntax=syntax, side=side, frames=5, **bits))
    assert frames(api, identity, "1,2,3,4,5") == list(map(packed, masks))
    answer = api.get(f"{identity.path}/frames/4", OCTETS, Range="bytes=0-0")
    assert (answer.status_code, answer.content) == (206, packed(masks[3])[:1])


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("numbers", ["1", "1,3"])
def test_several_frames_carry_an_entity_tag_too(shelf: Api, three: Identity, method: str, numbers: str) -> None:
    path = f"{three.path}/frames/{numbers}"
    answer = shelf.request(method, path)
    assert answer.headers["etag"] == shelf.head(three.path).headers["etag"]
    assert bool(answer.content) == (method == "GET")
    again = shelf.request(method, path, If_None_Match=answer.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")


def test_the_accept_parameter_overrides_the_header(shelf: Api, three: Identity) -> None:
    answer = shelf.get(f"{three.path}/frames/1?accept={OCTETS}", "image/jpeg")
    assert answer.content == THREE[0]


def test_frames_are_gone_with_their_instance(api: Api) -> None:
    identity = new_identity()
    api.keep(native(identity, THREE[0]))
    assert api.get(f"{identity.path}/frames/1").status_code == 200
    assert api.delete(identity.path).status_code == 204
    assert api.get(f"{identity.path}/frames/1").status_code == 404


def test_frames_are_those_of_the_instance_that_replaced_the_old_one(api: Api) -> None:
    identity = new_identity()
    api.keep(native(identity, THREE[0]))
    assert frames(api, identity, "1") == [THREE[0]]
    answer: httpx.Response = api.store(native(identity, THREE[1]), method="PUT")
    assert answer.status_code == 200
    assert frames(api, identity, "1") == [THREE[1]]
