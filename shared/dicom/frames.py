"""Where each frame of the pixel data lies in the file (PS3.3 C.7.6.3, PS3.5 8 and A.4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from struct import calcsize, unpack
from typing import Any, Final

from shared.dicom.model import ByteRange, DataSet, EncapsulatedFrames, NativeFrames
from shared.dicom.transfer_syntax import VIDEO

PIXEL_DATA: Final = "7FE00010"
_BITS_ALLOCATED: Final = {"7FE00008": 32, "7FE00009": 64}
"""Float and Double Float Pixel Data, whose size is fixed."""

_SUBSAMPLED: Final = frozenset(("YBR_FULL_422", "YBR_PARTIAL_422"))
_EXTENDED_OFFSET_TABLE: Final = 0x7FE00001
_EXTENDED_OFFSET_TABLE_LENGTHS: Final = 0x7FE00002


@dataclass(frozen=True, slots=True)
class Encapsulation:
    """What was seen of encapsulated pixel data.

    ``offset_table`` is the value of the Basic Offset Table item. ``ends[i]`` is 1 if fragment *i* ends with
    an end-of-image marker.
    """

    offset_table: bytes
    fragments: tuple[ByteRange, ...]
    ends: bytes


def native_frames(dataset: DataSet, bulk: Mapping[str, tuple[ByteRange, ...]]) -> NativeFrames | None:
    """The frames of uncompressed pixel data.

    None when there is no pixel data, or its value does not hold as many frames as the attributes say.
    """
    tag = next((tag for tag in (PIXEL_DATA, *_BITS_ALLOCATED) if tag in bulk), None)
    if tag is None:
        return None
    value = bulk[tag][0]
    count = _number(dataset, "00280008") or 1
    bits = _BITS_ALLOCATED.get(tag) or _number(dataset, "00280100")
    samples = _number(dataset, "00280002") or 1
    pixels = _number(dataset, "00280010") * _number(dataset, "00280011")
    frame_bits = pixels * samples * bits
    available = value.length * 8
    if _first(dataset, "00280004") in _SUBSAMPLED and samples == 3 and frame_bits * count > available:
        # Two chrominance samples for each two pixels (PS3.3 C.7.6.3.1.2). Some writers say so but keep all.
        frame_bits = pixels * 2 * bits
    if frame_bits <= 0 or frame_bits * count > available or (bits != 1 and frame_bits % 8):
        return None
    return NativeFrames(tag, str(dataset[tag]["vr"]), value, frame_bits, count)


def encapsulated_frames(
    dataset: DataSet, transfer_syntax: str, pixel_data: Encapsulation, offset_tables: Mapping[int, bytes]
) -> EncapsulatedFrames | None:
    """The frames of encapsulated pixel data; None when it can't be told which fragments make a frame.

    ``offset_tables`` has the values of Extended Offset Table and Extended Offset Table Lengths, if given.
    """
    fragments = pixel_data.fragments
    if not fragments:
        return None
    if transfer_syntax in VIDEO:
        return EncapsulatedFrames(PIXEL_DATA, (fragments,))
    stated = _number(dataset, "00280008")
    for frames in (
        _by_extended_offsets(fragments, offset_tables),
        _by_basic_offsets(pixel_data),
        _by_fragments(pixel_data, stated or 1),
    ):
        if frames is not None and len(frames) == (stated or len(frames)):
            return EncapsulatedFrames(PIXEL_DATA, frames)
    return None


def _by_extended_offsets(
    fragments: tuple[ByteRange, ...], offset_tables: Mapping[int, bytes]
) -> tuple[tuple[ByteRange, ...], ...] | None:
    """One fragment for each frame, its padding left out (PS3.3 C.7.6.3.1.8); None if they disagree."""
    offsets = _numbers("Q", offset_tables.get(_EXTENDED_OFFSET_TABLE, b""))
    lengths = _numbers("Q", offset_tables.get(_EXTENDED_OFFSET_TABLE_LENGTHS, b""))
    at = {fragment.offset - fragments[0].offset: fragment for fragment in fragments}
    if not offsets or len(offsets) != len(lengths) or not at.keys() >= set(offsets):
        return None
    frames = [ByteRange(at[offset].offset, length) for offset, length in zip(offsets, lengths, strict=True)]
    if any(frame.length > at[offset].length for frame, offset in zip(frames, offsets, strict=True)):
        return None
    return tuple((frame,) for frame in frames)


def _by_basic_offsets(pixel_data: Encapsulation) -> tuple[tuple[ByteRange, ...], ...] | None:
    """From each offset to the next; None unless each is where a fragment's item begins (PS3.5 A.4)."""
    offsets = _numbers("I", pixel_data.offset_table)
    fragments = pixel_data.fragments
    at = {fragment.offset - fragments[0].offset: index for index, fragment in enumerate(fragments)}
    starts = [at[offset] for offset in offsets if offset in at]
    if len(starts) != len(offsets) or starts[:1] != [0] or any(a >= b for a, b in pairwise(starts)):
        return None
    return tuple(fragments[start:end] for start, end in pairwise([*starts, len(fragments)]))


def _by_fragments(pixel_data: Encapsulation, count: int) -> tuple[tuple[ByteRange, ...], ...] | None:
    """Without offsets: all for one, one for each, or up to each end of an image; None if that gives another count."""
    fragments = pixel_data.fragments
    if count == 1:
        return (fragments,)
    if count == len(fragments):
        return tuple((fragment,) for fragment in fragments)
    ends = [index + 1 for index, is_end in enumerate(pixel_data.ends) if is_end]
    if count != len(ends) or ends[-1] != len(fragments):
        return None
    return tuple(fragments[start:end] for start, end in pairwise([0, *ends]))


def _numbers(code: str, table: bytes) -> tuple[int, ...]:
    """The offsets or lengths of a table, none if its bytes don't come out even."""
    count, rest = divmod(len(table), calcsize(f"<{code}"))
    return () if rest else unpack(f"<{count}{code}", table)


def _number(dataset: DataSet, tag: str) -> int:
    """The first value if it is a positive integer, else 0."""
    value = _first(dataset, tag)
    return value if isinstance(value, int) and value > 0 else 0


def _first(dataset: DataSet, tag: str) -> Any:
    return dataset.get(tag, {}).get("Value", [None])[0]
