"""DICOM JSON texts as deflate segments (RFC 1951), of which content with many of them is made as they are.

A text is cut behind each ``"BulkDataURI":"``, where the URL goes that the reference is relative to. Each segment ends
with a full flush: at the end of a byte, and nothing behind it refers back to what is before. So segments, and blocks
of other text between them, may follow each other as they like.

A text is held as a mark, the number of its segments, of each its length, that of its text and the CRC-32 of that, and
then the segments.
"""

import struct
import zlib

REFERENCE = b'"BulkDataURI":"'
"""In JSON text an unescaped quote before the key can only begin that key, so it is found without parsing."""

LEVEL = 1
"""On a CT header level 6 takes three times as long to save a tenth."""
WINDOW = 14
MEMORY = 7
"""To get the memory of a compressor with twice of both takes longer than to compress a CT header."""

SHORT = 64
"""Bytes of a text that to compress gains nothing."""

_MARK = b"\x01"
"""Nothing else that may be held begins with it: neither a zlib stream nor the name of a blob."""
_HEAD = struct.Struct("<cI")
_SEGMENT = struct.Struct("<III")
_BLOCK = struct.Struct("<xHH")
"""Begins a block that is neither compressed nor the last: its length, and that with all bits turned."""
_LAST_BLOCK = b"\x03\x00"
"""An empty one."""
_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"
"""Deflate, no name, no time, the fastest algorithm, an unknown system (RFC 1952 2.3.1)."""
_GZIP_END = struct.Struct("<II")
_ONES = 0xFFFFFFFF
_ZEROS = bytes(5 * 1024)
"""As many as zlib takes without letting go of Python's global lock."""


def deflated(text: bytes) -> bytes:
    """A text as it is held."""
    # from the end takes half the time
    *before, last = text.rsplit(REFERENCE)
    texts = [*(each + REFERENCE for each in before), last]
    stream = zlib.compressobj(LEVEL, zlib.DEFLATED, -WINDOW, MEMORY)
    segments = [
        stream.compress(each) + stream.flush(zlib.Z_FULL_FLUSH) if len(each) > SHORT else _block(each) for each in texts
    ]
    told = [
        _SEGMENT.pack(len(segment), len(each), zlib.crc32(each)) for segment, each in zip(segments, texts, strict=True)
    ]
    return b"".join((_HEAD.pack(_MARK, len(segments)), *told, *segments))


def _block(text: bytes) -> bytes:
    """At most 65,535 bytes as they are (RFC 1951 3.2.4)."""
    size = len(text)
    return _BLOCK.pack(size, size ^ 0xFFFF) + text


def inflated(held: bytes) -> bytes:
    """The text, references as they are in it. Raises zlib.error if it is damaged.

    A zlib stream may be held instead.
    """
    if not held.startswith(_MARK):
        return zlib.decompress(held)
    return zlib.decompress(held[_end_of_table(held) :] + _LAST_BLOCK, -zlib.MAX_WBITS)


def _end_of_table(held: bytes) -> int:
    _, count = _HEAD.unpack_from(held)
    return _HEAD.size + int(count) * _SEGMENT.size


class Content:
    """Texts, one behind the other, as deflate data. ``waiting`` bytes of text were not taken yet."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.waiting = 0

    def add(self, text: bytes) -> None:
        """Put a text of at most 65,535 bytes behind."""
        self._parts.append(_block(text))
        self.waiting += len(text)

    def add_held(self, held: bytes, url: bytes) -> None:
        """Put a text that is held behind, with a URL of at most 65,535 bytes before each of its references."""
        if not held.startswith(_MARK):
            held = deflated(zlib.decompress(held))
        at = first = _end_of_table(held)
        for length, size, crc in _SEGMENT.iter_unpack(held[_HEAD.size : first]):
            if at != first:
                self.add(url)
            self._add_segment(held[at : at + length], size, crc)
            at += length

    def _add_segment(self, segment: bytes, size: int, crc: int) -> None:
        self._parts.append(segment)
        self.waiting += size

    def _taken(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        self.waiting = 0
        return taken


class Plain(Content):
    """Content that is not coded."""

    def take(self) -> bytes:
        """The content since it was taken last."""
        size = self.waiting
        self._parts.append(_LAST_BLOCK)
        return zlib.decompress(self._taken(), -zlib.MAX_WBITS, size)

    finish = take


class Gzip(Content):
    """Content coded with gzip (RFC 1952), without compressing anything."""

    def __init__(self) -> None:
        super().__init__()
        self._parts.append(_GZIP_HEAD)
        self._size = 0
        self._crc = 0

    def add(self, text: bytes) -> None:
        """Put a text of at most 65,535 bytes behind."""
        super().add(text)
        self._crc = zlib.crc32(text, self._crc)

    def _add_segment(self, segment: bytes, size: int, crc: int) -> None:
        super()._add_segment(segment, size, crc)
        self._crc = _joined(self._crc, crc, size)

    def take(self) -> bytes:
        """The content since it was taken last."""
        self._size += self.waiting
        return self._taken()

    def finish(self) -> bytes:
        """The same, to its end."""
        return self.take() + _LAST_BLOCK + _GZIP_END.pack(self._crc, self._size & _ONES)


def _joined(first: int, second: int, size: int) -> int:
    """The CRC-32 of two texts, one behind the other, from those of both and the bytes of the second."""
    # the first as it goes on over zeros, without the ones that the algorithm begins and ends with
    shifted = first ^ _ONES
    while size > len(_ZEROS):
        shifted = zlib.crc32(_ZEROS, shifted)
        size -= len(_ZEROS)
    return zlib.crc32(_ZEROS[:size], shifted) ^ _ONES ^ second
