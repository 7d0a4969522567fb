"""The dictionary by the bytes of tags, in both byte orders."""

from struct import unpack

import pytest

from shared.dicom.dictionary import PRIVATE, Tags, private_vr, public_vr


@pytest.mark.parametrize("little_endian", [True, False])
def test_tags_are_found_by_their_bytes(little_endian: bool) -> None:
    tags = Tags(little_endian)
    raw = b"\x10\x00\x20\x00" if little_endian else b"\x00\x10\x00\x20"
    (key,) = unpack("<I" if little_endian else ">I", raw)
    assert tags[key] == ("00100020", b"LO")
    assert tags.tag(key) == 0x00100020


@pytest.mark.parametrize("tag", [0x00080000, 0x00080005, 0x7FE00001, 0x7FE00010, 0xFFFEE000, 0xFFFEE0DD, 0])
def test_what_is_not_read_by_vr_alone_has_no_name(tag: int) -> None:
    assert Tags(little_endian=False)[tag][0] is None


@pytest.mark.parametrize(
    ("tag", "vr"),
    [
        (0x00100010, b"PN"),
        (0x60023000, b"OW"),
        (0x7FE00010, b"OW"),
        (0x00280106, b"US or SS"),
        (0x00283006, b"US or OW"),
        (0x00281200, b"OW"),
        (0x00090010, b"LO"),
        (0x00091001, PRIVATE),
        (0x00090001, PRIVATE),
        (0x0048FF03, b"UN"),
    ],
)
def test_public_vrs(tag: int, vr: bytes) -> None:
    assert public_vr(tag) == vr


@pytest.mark.parametrize(
    ("tag", "creator", "vr"),
    [
        (0x00291008, "SIEMENS CSA HEADER", b"CS"),
        (0x0029A008, "SIEMENS CSA HEADER", b"CS"),
        (0x00291008, "NOBODY", b"UN"),
        (0x002910FE, "SIEMENS CSA HEADER", b"UN"),
        (0x70191180, "TOSHIBA_MEC_OT3", b"UN"),
        (0x00271AA3, "FDMS 1.0", b"US or SS"),
    ],
)
def test_private_vrs(tag: int, creator: str, vr: bytes) -> None:
    assert private_vr(tag, creator) == vr


def test_the_table_does_not_grow_without_end() -> None:
    tags = Tags(little_endian=False)
    for tag in range(0x00110000, 0x00110000 + 50_000):
        assert tags[tag][0] in (None, f"{tag:08X}")
    assert len(tags) <= 20_000
