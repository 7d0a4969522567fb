"""Encapsulated data: an undefined-length value made of items that hold opaque bytes (PS3.5 A.4)."""

from array import array
from collections.abc import Callable
from typing import Any, Final

from shared.dicom.frames import Encapsulation
from shared.dicom.model import ByteRange
from shared.dicom.walk import Container, Walk
from shared.errors import InvalidInstance

UNDEFINED: Final = 0xFFFFFFFF

_ITEM: Final = (0xFFFE, 0xE000)
_END: Final = (0xFFFE, 0xE0DD)

_TAIL: Final = 10
_END_OF_IMAGE: Final = b"\xff\xd9"
"""The last marker of a JPEG, JPEG-LS or JPEG 2000 codestream, a padding byte or a few behind it."""


class FragmentReader:
    """Notes where the fragments are and skips their bytes. ``done`` is called at the end of the value."""

    __slots__ = ("_done", "_ends", "_item", "_lengths", "_offset_table", "_offsets", "_parent", "_tail", "_walk")

    def __init__(
        self,
        walk: Walk,
        parent: Container,
        item: Callable[[bytes, int], tuple[Any, ...]],
        has_offset_table: bool,
        done: Callable[[Encapsulation], None],
    ) -> None:
        self._walk = walk
        self._parent = parent
        self._item = item
        self._done = done
        self._offset_table = None if has_offset_table else b""
        self._offsets = array("Q")
        self._lengths = array("Q")
        self._ends = bytearray()
        self._tail = 0

    def read(self, buffer: bytes, position: int) -> int:
        """Read an item's header, with the last bytes of the fragment before it."""
        start = position + self._tail
        if len(buffer) - start < 8:
            return self._walk.wait(position, self._tail + 8)
        group, element, length = self._item(buffer, start)
        value = start + 8
        if (group, element) == _ITEM and length != UNDEFINED:
            if self._offset_table is None and len(buffer) - value < length:
                return self._walk.wait(position, value - position + length)
            self._end_fragment(buffer, position)
            return self._begin_fragment(buffer, value, length)
        if (group, element) == _END:
            self._end_fragment(buffer, position)
            self._walk.container = self._parent
            self._done(self._result())
            return value
        raise InvalidInstance("Encapsulated data has something other than items of known length.")

    def _begin_fragment(self, buffer: bytes, value: int, length: int) -> int:
        if self._offset_table is None:
            self._offset_table = buffer[value : value + length]
            return value + length
        self._walk.count(1)
        self._offsets.append(self._walk.base + value)
        self._lengths.append(length)
        self._tail = min(length, _TAIL)
        self._walk.leave(length - self._tail)
        return value + length - self._tail

    def _end_fragment(self, buffer: bytes, position: int) -> None:
        if len(self._ends) < len(self._lengths):
            self._ends.append(_END_OF_IMAGE in buffer[position : position + self._tail])
            self._tail = 0

    def _result(self) -> Encapsulation:
        fragments = tuple(map(ByteRange, self._offsets, self._lengths))
        return Encapsulation(self._offset_table or b"", fragments, bytes(self._ends))
