"""Reads plain elements: those that their VR, or for implicit VR their tag, says all about."""

from typing import Final

from shared.dicom.charsets import Charset
from shared.dicom.model import DataSet
from shared.dicom.stretches import Form, Stretch, form_of
from shared.dicom.transfer_syntax import Encoding
from shared.dicom.values import decoders

LONGEST_SHORT_FORM: Final = 0xFFFF
"""Bytes of a value whose explicit length has 16 bits (PS3.5 7.1.2)."""
_HEADER: Final = 8


class PlainReader:
    """The plain elements of a data set, read into ``elements``."""

    __slots__ = ("_charset", "_decoders", "_encoding", "_last", "_sorted", "_stretch", "elements")

    def __init__(self, encoding: Encoding, charset: Charset) -> None:
        self._encoding = encoding
        self._charset = charset
        self._decoders = decoders(encoding.little_endian, charset)
        self._last = ""
        self._sorted = True
        self._stretch: Stretch | None = None
        self.elements: DataSet = {}

    def _read_plain(self, buffer: bytes, position: int, stop: int) -> tuple[int, bool]:
        """Read the elements that begin up to ``stop``; the second tells whether one is met that is not plain, or not
        all there."""
        size = len(buffer)
        encoding = self._encoding
        unpack, tags, explicit = encoding.header, encoding.tags, encoding.explicit
        elements, decode, last = self.elements, self._decoders.short.get, self._last
        while position <= stop:
            if explicit:
                key, vr, length = unpack(buffer, position)
                name = tags[key][0]
            else:
                key, length = unpack(buffer, position)
                name, vr = tags[key]
            decoded = decode(vr)
            value = position + _HEADER
            end = value + length
            if decoded is None or name is None or length > LONGEST_SHORT_FORM or end > size:
                self._last = last
                return position, True
            elements[name] = decoded[buffer[value:end]]
            if name <= last:
                self._sorted = False
            last = name
            position = end
        self._last = last
        return position, False

    def _recognise(self, buffer: bytes, position: int, stop: int) -> tuple[int, bool]:
        """As ``_read_plain``, but what data sets before had too is not read again."""
        stretch = self._stretch
        if stretch is None:
            stretch = self._stretch = Stretch(self._encoding, self._charset, buffer, position)
        while position <= stop and stretch.knows(buffer, position):
            if run := stretch.piece:
                self.elements.update(run.elements)
                self._sorted = self._sorted and run.first > self._last
                self._last = run.last
                position += len(run.raw)
            else:
                position, special = self._read_plain(buffer, position, position)
                if special:
                    return position, True
            stretch.passed()
        start = position
        position, special = self._read_plain(buffer, position, stop)
        if position > start and stretch.may_learn(position - start):
            stretch.learn(self._form(buffer, start, position))
        return position, special

    def _end_stretch(self) -> None:
        if self._stretch:
            self._stretch.end()
            self._stretch = None

    def _form(self, buffer: bytes, start: int, stop: int) -> Form:
        """The form of the elements that were read from ``start`` to ``stop``."""
        encoding = self._encoding
        position = start
        ends: list[int] = []
        read: DataSet = {}
        while position < stop:
            key, *_, length = encoding.header(buffer, position)
            name = str(encoding.tags[key][0])
            position += _HEADER + length
            ends.append(position - start)
            read[name] = self.elements[name]
        return form_of(buffer[start:stop], ends, read)
