"""The plain values that describe one instance: its data set as DICOM JSON, and where its bulk bytes lie."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeAlias

Chunk: TypeAlias = bytes | memoryview
"""Some of the bytes of a file that passes by."""

DataSet: TypeAlias = dict[str, dict[str, Any]]
"""A data set in the DICOM JSON model (PS3.18 Annex F): ``{"00100020": {"vr": "LO", "Value": ["1"]}}``,
keys in ascending order. A binary value left in the file is ``{"vr": "OB", "BulkDataURI": REFERENCE}``,
where REFERENCE is relative to the instance: the tag, or for an element inside sequences the path
``TAG/ITEM/TAG`` with items counted from 0, e.g. ``00420011`` or ``54000100/0/54001010``."""


class Level(IntEnum):
    """The levels of the information model (PS3.4 C.6.2), coarse to fine."""

    STUDY = 1
    SERIES = 2
    INSTANCE = 3


@dataclass(frozen=True, slots=True)
class ByteRange:
    """``length`` bytes at ``offset`` (both in bytes) of the Part 10 file; of the inflated file
    where the transfer syntax is deflated (file meta and data set counted as if never deflated)."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class NativeFrames:
    """Uncompressed pixel data: frame *i* (from 0) starts at bit ``i * frame_bits`` of the value.

    ``value`` is the whole value in the file. ``frame_bits`` is a multiple of 8 except for pixel data
    with BitsAllocated 1, whose frames are packed without padding (PS3.5 8.1.1).
    """

    tag: str
    vr: str
    value: ByteRange
    frame_bits: int
    count: int


@dataclass(frozen=True, slots=True)
class EncapsulatedFrames:
    """Compressed pixel data (PS3.5 A.4): each frame is the concatenation of its fragments' bytes."""

    tag: str
    frames: tuple[tuple[ByteRange, ...], ...]


Frames: TypeAlias = NativeFrames | EncapsulatedFrames


@dataclass(frozen=True, slots=True)
class Part10:
    """One scanned Part 10 file.

    ``file_meta`` is group 0002 and ``dataset`` the rest, both in the DICOM JSON model. ``bulk`` gives,
    for each BulkDataURI reference in ``dataset``, where its bytes are: one range for a plain value,
    one per fragment for encapsulated pixel data. ``length`` counts the bytes of the file as received.
    """

    transfer_syntax: str
    file_meta: DataSet
    dataset: DataSet
    bulk: dict[str, tuple[ByteRange, ...]]
    frames: Frames | None
    length: int
