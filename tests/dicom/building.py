"""Part 10 files put together by hand, right or wrong."""

import zlib
from struct import pack

from shared.dicom.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN

UNDEFINED = 0xFFFFFFFF
LONG = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}
PREAMBLE = bytes(128) + b"DICM"


def tag_bytes(tag: int, order: str = "<") -> bytes:
    return pack(f"{order}HH", tag >> 16, tag & 0xFFFF)


def explicit(tag: int, vr: str, value: bytes = b"", length: int | None = None, order: str = "<") -> bytes:
    """An element with a VR; ``length`` where the header is to say another one than the value has."""
    length = len(value) if length is None else length
    form = f"{order}2sHI" if vr in LONG else f"{order}2sH"
    rest = (vr.encode(), 0, length) if vr in LONG else (vr.encode(), length)
    return tag_bytes(tag, order) + pack(form, *rest) + value


def implicit(tag: int, value: bytes = b"", length: int | None = None) -> bytes:
    return tag_bytes(tag) + pack("<I", len(value) if length is None else length) + value


def item(content: bytes = b"", length: int | None = None) -> bytes:
    return implicit(0xFFFEE000, content, length)


def undefined_item(content: bytes) -> bytes:
    return item(content, UNDEFINED) + ITEM_END


ITEM_END = implicit(0xFFFEE00D)
SEQUENCE_END = implicit(0xFFFEE0DD)


def sequence(tag: int, *items: bytes, undefined: bool = False) -> bytes:
    content = b"".join(items)
    if undefined:
        return explicit(tag, "SQ", content, UNDEFINED) + SEQUENCE_END
    return explicit(tag, "SQ", content)


def fragments(*values: bytes, table: bytes = b"", tag: int = 0x7FE00010) -> bytes:
    """Encapsulated pixel data with a Basic Offset Table of ``table``."""
    return explicit(tag, "OB", item(table) + b"".join(map(item, values)), UNDEFINED) + SEQUENCE_END


def file_meta(transfer_syntax: str | None) -> bytes:
    if transfer_syntax is None:
        return explicit(0x00020003, "UI", b"1.2\0")
    uid = transfer_syntax.encode()
    return explicit(0x00020003, "UI", b"1.2\0") + explicit(0x00020010, "UI", uid + bytes(len(uid) % 2))


def part10(dataset: bytes, transfer_syntax: str | None = EXPLICIT_VR_LITTLE_ENDIAN) -> bytes:
    return PREAMBLE + file_meta(transfer_syntax) + dataset


def deflate(dataset: bytes) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(dataset) + compressor.flush()
