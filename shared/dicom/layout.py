"""The frames and bulk data of an instance as a few bytes, of which a read decodes no more than it needs.

All numbers are little endian. A version byte and a byte for the kind of frames are followed by

* for native pixel data, the fields of NativeFrames;
* for encapsulated pixel data, its tag, the table of all ranges, how many frames there are and, if some
  have several ranges, for each the number of its first one;
* the number of bulk data values, and for each the length of its reference, the reference and its table.

A table is the number of ranges, the size of a number, all offsets and all lengths. A bulk data value whose
ranges are those of the frames, as those of pixel data mostly are, has a number of ranges that says so.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from struct import Struct, pack, unpack_from
from typing import Final, TypeAlias

from shared.dicom.model import ByteRange, NativeFrames, Part10

_VERSION: Final = 1
_NO_FRAMES, _NATIVE, _ENCAPSULATED = range(3)

_PREFIX: Final = Struct("<BB")
_NATIVE_FRAMES: Final = Struct("<8s2sQQQQ")
_TAG: Final = Struct("<8s")
_TABLE: Final = Struct("<IB")
_STARTS: Final = Struct("<II")
_COUNT: Final = Struct("<I")
_REFERENCE: Final = Struct("<H")

_SAME_AS_FRAMES: Final = 0xFFFFFFFF
_CODES: Final = {4: "I", 8: "Q"}

Ranges: TypeAlias = tuple[ByteRange, ...]


class _Table:
    """A table of ranges at a position of ``raw``; ``end`` is the position behind it."""

    __slots__ = ("_code", "_offsets", "_raw", "_size", "count", "end")

    def __init__(self, raw: bytes, position: int) -> None:
        self._raw = raw
        self.count, self._size = _TABLE.unpack_from(raw, position)
        self._code = _CODES[self._size]
        self._offsets = position + _TABLE.size
        self.end = self._offsets + 2 * self._size * (self.count if self.count != _SAME_AS_FRAMES else 0)

    def ranges(self, start: int, stop: int) -> Ranges:
        form = f"<{stop - start}{self._code}"
        lengths = self._offsets + self._size * self.count
        return tuple(
            map(
                ByteRange,
                unpack_from(form, self._raw, self._offsets + self._size * start),
                unpack_from(form, self._raw, lengths + self._size * start),
            )
        )


class FrameTable:
    """The frames of encapsulated pixel data. ``tag`` is that of the pixel data, ``count`` how many there are."""

    __slots__ = ("_raw", "_starts", "_table", "count", "end", "tag")

    def __init__(self, raw: bytes, position: int) -> None:
        (tag,) = _TAG.unpack_from(raw, position)
        self.tag: str = tag.decode("ascii")
        self._raw = raw
        self._table = _Table(raw, position + _TAG.size)
        self.count, starts = _STARTS.unpack_from(raw, self._table.end)
        self._starts = self._table.end + _STARTS.size if starts else 0
        self.end = self._table.end + _STARTS.size + 4 * starts

    def ranges(self, index: int) -> Ranges:
        """The ranges of one frame, ``0 <= index < count``."""
        if not self._starts:
            return self._table.ranges(index, index + 1)
        if index + 1 < self.count:
            start, stop = unpack_from("<II", self._raw, self._starts + 4 * index)
        else:
            (start,), stop = _COUNT.unpack_from(self._raw, self._starts + 4 * index), self._table.count
        return self._table.ranges(start, stop)

    def all_ranges(self) -> Ranges:
        """The ranges of all frames, one after the other."""
        return self._table.ranges(0, self._table.count)


class _Bulk(Mapping[str, Ranges]):
    """The ranges of each bulk data value by reference."""

    def __init__(self, raw: bytes, position: int, frames: FrameTable | None) -> None:
        self._raw = raw
        self._position = position
        self._frames = frames

    @cached_property
    def _tables(self) -> dict[str, _Table]:
        (count,) = _COUNT.unpack_from(self._raw, self._position)
        position = self._position + _COUNT.size
        tables = {}
        for _ in range(count):
            (length,) = _REFERENCE.unpack_from(self._raw, position)
            position += _REFERENCE.size + length
            table = _Table(self._raw, position)
            tables[self._raw[position - length : position].decode("ascii")] = table
            position = table.end
        return tables

    def __getitem__(self, reference: str) -> Ranges:
        table = self._tables[reference]
        if table.count == _SAME_AS_FRAMES and self._frames:
            return self._frames.all_ranges()
        return table.ranges(0, table.count)

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where frames and bulk data are: ``frames`` None if there are none, ``bulk`` as in Part10."""

    frames: NativeFrames | FrameTable | None
    bulk: Mapping[str, Ranges]


def encode_layout(instance: Part10) -> bytes:
    """The layout of a scanned file, a few dozen bytes for native pixel data, 8 or 16 for each fragment."""
    frames = instance.frames
    flat: Ranges | None = None
    if frames is None:
        parts = [_PREFIX.pack(_VERSION, _NO_FRAMES)]
    elif isinstance(frames, NativeFrames):
        parts = [_PREFIX.pack(_VERSION, _NATIVE), _encode_native(frames)]
    else:
        flat = tuple(range_ for frame in frames.frames for range_ in frame)
        parts = [
            _PREFIX.pack(_VERSION, _ENCAPSULATED),
            _TAG.pack(frames.tag.encode("ascii")),
            _encode_table(flat),
            _encode_starts(frames.frames),
        ]
    parts.append(_COUNT.pack(len(instance.bulk)))
    for reference, ranges in instance.bulk.items():
        parts += [_REFERENCE.pack(len(reference)), reference.encode("ascii")]
        parts.append(_TABLE.pack(_SAME_AS_FRAMES, 4) if ranges == flat else _encode_table(ranges))
    return b"".join(parts)


def decode_layout(raw: bytes) -> Layout:
    """The layout that ``encode_layout`` gave. Raises ValueError for the bytes of another version."""
    version, kind = _PREFIX.unpack_from(raw)
    if version != _VERSION:
        raise ValueError(f"Layouts of version {version} are not known.")
    if kind == _NATIVE:
        return Layout(_decode_native(raw), _Bulk(raw, _PREFIX.size + _NATIVE_FRAMES.size, None))
    if kind == _ENCAPSULATED:
        frames = FrameTable(raw, _PREFIX.size)
        return Layout(frames, _Bulk(raw, frames.end, frames))
    return Layout(None, _Bulk(raw, _PREFIX.size, None))


def frame_ranges(frames: NativeFrames | FrameTable, index: int) -> Ranges:
    """The bytes to read for frame ``index`` (from 0). Raises IndexError if there is no such frame.

    Of a native frame that does not begin or end between two bytes, the range has the bytes it shares with
    its neighbours too: ``frame_bytes`` takes it out of them.
    """
    if not 0 <= index < frames.count:
        raise IndexError(index)
    if isinstance(frames, FrameTable):
        return frames.ranges(index)
    start = index * frames.frame_bits
    first, behind = start // 8, (start + frames.frame_bits + 7) // 8
    return (ByteRange(frames.value.offset + first, behind - first),)


def frame_bytes(native: NativeFrames, index: int, raw: bytes) -> bytes:
    """The frame out of the bytes that ``frame_ranges`` gave, moved to begin at the first bit of a byte.

    Bits are packed from the least significant of each byte on; what is over in the last one is 0 (PS3.5 8.1.1).
    """
    if native.frame_bits % 8 == 0:
        return raw
    bits = int.from_bytes(raw, "little") >> (index * native.frame_bits % 8)
    return (bits & (1 << native.frame_bits) - 1).to_bytes((native.frame_bits + 7) // 8, "little")


def _encode_native(frames: NativeFrames) -> bytes:
    tag, vr = frames.tag.encode("ascii"), frames.vr.encode("ascii")
    value = frames.value
    return _NATIVE_FRAMES.pack(tag, vr, value.offset, value.length, frames.frame_bits, frames.count)


def _decode_native(raw: bytes) -> NativeFrames:
    tag, vr, offset, length, frame_bits, count = _NATIVE_FRAMES.unpack_from(raw, _PREFIX.size)
    return NativeFrames(tag.decode("ascii"), vr.decode("ascii"), ByteRange(offset, length), frame_bits, count)


def _encode_table(ranges: Ranges) -> bytes:
    offsets = [range_.offset for range_ in ranges]
    lengths = [range_.length for range_ in ranges]
    size = 4 if max(*offsets, *lengths, 0, 0) < 1 << 32 else 8
    form = f"<{len(ranges)}{_CODES[size]}"
    return _TABLE.pack(len(ranges), size) + pack(form, *offsets) + pack(form, *lengths)


def _encode_starts(frames: Sequence[Ranges]) -> bytes:
    if all(len(frame) == 1 for frame in frames):
        return _STARTS.pack(len(frames), 0)
    starts = [0]
    for frame in frames[:-1]:
        starts.append(starts[-1] + len(frame))
    return _STARTS.pack(len(frames), len(starts)) + pack(f"<{len(starts)}I", *starts)
