"""The beginning of a Part 10 file, up to the first bytes of the data set (PS3.10 7.1)."""

from typing import Final

from shared.dicom.charsets import DEFAULT_CHARSET
from shared.dicom.elements import NO_END, DataSetReader
from shared.dicom.transfer_syntax import (
    DEFLATED,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    IMPLICIT_VR_LITTLE_ENDIAN,
    encoding_found,
    shows_vr,
)
from shared.dicom.values import LONG_FORM
from shared.dicom.walk import Walk
from shared.errors import NotPart10

_PREAMBLE: Final = 128
_PREFIX: Final = b"DICM"
EMPTY_PREAMBLE: Final = bytes(_PREAMBLE) + _PREFIX
"""What a Part 10 file begins with if it has no use for a preamble."""
RECOGNISED: Final = 6
"""Bytes of a file by which ``lacks_preamble`` decides."""
_GROUP: Final = b"\x02\x00"
_HEADER: Final = 8
_TRANSFER_SYNTAX_UID: Final = "00020010"
_LONG_HEADER: Final = 12


def not_part10(length: int) -> NotPart10:
    """The error for a file of ``length`` bytes that does not begin as it should."""
    if not length:
        return NotPart10("The file is empty.")
    return NotPart10("The file is not DICOM: it does not begin with 128 bytes and 'DICM' (PS3.10 7.1).")


def data_set_offset(start: bytes) -> int | None:
    """Where in a scanned file the data set begins; None if ``start``, its first bytes, does not reach there."""
    position = _PREAMBLE + len(_PREFIX)
    while len(start) >= position + _LONG_HEADER:
        if start[position : position + 2] != _GROUP:
            return position
        size, at = _length_field(start, position)
        position = at + size + int.from_bytes(start[at : at + size], "little")
    return None


def _length_field(buffer: bytes, position: int) -> tuple[int, int]:
    """How many bytes say how long the element's value is, and where they are (PS3.5 7.1.2 and 7.1.3)."""
    if not shows_vr(buffer, position):
        return 4, position + 4
    return (4, position + 8) if buffer[position + 4 : position + 6] in LONG_FORM else (2, position + 6)


def lacks_preamble(start: bytes) -> bool:
    """Whether a file, by its first six bytes, begins with its file meta information, as some writers leave it."""
    return start[:2] == _GROUP and start[3:4] == b"\0" and shows_vr(start)


class PreambleReader:
    """Reads the preamble, which may be anything, and the prefix. Raises NotPart10 without it."""

    __slots__ = ("_file_meta", "_walk")

    def __init__(self, walk: Walk, file_meta: "FileMetaReader") -> None:
        self._walk = walk
        self._file_meta = file_meta

    def read(self, buffer: bytes, position: int) -> int:
        """Read both at once and open the file meta."""
        prefix = position + _PREAMBLE
        end = prefix + len(_PREFIX)
        if len(buffer) < end:
            return self._walk.wait(position, end - position)
        if buffer[prefix:end] != _PREFIX:
            raise not_part10(end)
        self._walk.container = self._file_meta
        return end


class FileMetaReader(DataSetReader):
    """Reads group 0002, whatever its group length says."""

    __slots__ = ("_start",)

    def __init__(self, walk: Walk, start: "DataSetStart") -> None:
        super().__init__(walk, EXPLICIT_LITTLE, DEFAULT_CHARSET, NO_END)
        self._start = start

    def read(self, buffer: bytes, position: int) -> int:
        """Read an element of the group, or end before the first of another one."""
        group = buffer[position : position + 2]
        need = _HEADER if group == _GROUP else len(_GROUP)
        if len(buffer) - position < need:
            return self._walk.wait(position, need)
        if group == _GROUP:
            self._encoding = EXPLICIT_LITTLE if shows_vr(buffer, position) else IMPLICIT_LITTLE
            end, special = self._read_plain(buffer, position, position)
            self._count(buffer, position, end)
            return self._read_special(buffer, position) if special else end
        self.end()
        return self._walk.wait(position, 1) if self._start.deflated else position

    def end(self) -> None:
        """Let the data set begin, in the transfer syntax that is declared."""
        self.close()
        self._walk.container = self._start
        value = self.elements.get(_TRANSFER_SYNTAX_UID, {}).get("Value", [None])[0]
        if isinstance(value, str):
            self._start.declare(value)


class DataSetStart:
    """Sees by the first element how the data set is encoded, then opens it as ``data_set``."""

    __slots__ = ("_declared", "_walk", "data_set", "transfer_syntax")

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._declared: str | None = None
        self.transfer_syntax = IMPLICIT_VR_LITTLE_ENDIAN
        self.data_set: DataSetReader | None = None

    @property
    def deflated(self) -> bool:
        """Whether the bytes from here on have to be inflated before they are read."""
        return self._declared in DEFLATED

    def declare(self, transfer_syntax: str) -> None:
        """Take note of what the file meta says."""
        self._declared = self.transfer_syntax = transfer_syntax

    def read(self, buffer: bytes, position: int) -> int:
        """Open the data set without taking anything of it."""
        if len(buffer) - position < _HEADER:
            return self._walk.wait(position, _HEADER)
        self.transfer_syntax, encoding = encoding_found(self._declared, buffer[position : position + _HEADER])
        self.data_set = DataSetReader(self._walk, encoding, DEFAULT_CHARSET, NO_END)
        self._walk.container = self.data_set
        return position
