"""Reads data elements into the DICOM JSON model (PS3.5 section 7, PS3.18 Annex F)."""

from typing import Final

from shared.dicom.charsets import Charset, charset_of
from shared.dicom.dictionary import (
    OFFSET_TABLES,
    PIXEL_DATA,
    PRIVATE,
    SPECIFIC_CHARACTER_SET,
    UNKNOWN,
    US_OR_OW,
    US_OR_SS,
    private_vr,
    public_vr,
)
from shared.dicom.encapsulated import UNDEFINED, FragmentReader
from shared.dicom.frames import Encapsulation
from shared.dicom.model import ByteRange, DataSet
from shared.dicom.plain import LONGEST_SHORT_FORM, PlainReader
from shared.dicom.transfer_syntax import EXPLICIT_LITTLE, Encoding, implicit, shows_vr
from shared.dicom.values import ARRAYS, BINARY, LONG_FORM, Element, decoders
from shared.dicom.walk import Walk
from shared.errors import HostileInstance, InvalidInstance

NO_END: Final = 1 << 63

_DELIMITERS: Final = 0xFFFE
_ITEM: Final = 0xE000
_ITEM_END: Final = 0xE00D
_SEQUENCE_END: Final = 0xE0DD

_SEPARATOR: Final = b"\\"
_PADDING_RUN: Final = 4096

_ITEM_TAGS: Final = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
_UNCERTAIN: Final = frozenset((UNKNOWN, PRIVATE))


class DataSetReader(PlainReader):
    """A data set, or an item of a sequence, up to offset ``end`` or its delimiter.

    ``elements`` grows as it is read; ``depth`` counts the sequences around it.
    """

    __slots__ = ("_counted", "_end", "_fresh", "_parent", "_walk", "depth")

    def __init__(
        self, walk: Walk, encoding: Encoding, charset: Charset, end: int, parent: "SequenceReader | None" = None
    ) -> None:
        super().__init__(encoding, charset)
        self._walk = walk
        self._end = end
        self._parent = parent
        self._fresh = parent is not None and encoding.explicit
        self._counted = 0
        self.depth: int = parent.depth + 1 if parent else 0

    def read(self, buffer: bytes, position: int) -> int:
        """Read the plain elements up to one that is not; that and the end are left to others."""
        stop = min(len(buffer) - 8, self._end - self._walk.base - 1)
        if self._fresh and position <= stop:
            self._fresh = False
            if not shows_vr(buffer, position):
                self._encoding = implicit(self._encoding)
        start = position
        if self._parent is None and position <= stop:
            position, special = self._recognise(buffer, position, stop)
        else:
            position, special = self._read_plain(buffer, position, stop)
        self._count(buffer, start, position)
        if special:
            position = self._read_special(buffer, position)
            if not self._walk.need:
                self._end_stretch()
            return position
        if self._walk.base + position < self._end:
            return self._walk.wait(position, 8)
        self.close()
        return position

    def _count(self, buffer: bytes, start: int, stop: int) -> None:
        self._walk.count(len(self.elements) - self._counted)
        self._counted = len(self.elements)
        self._walk.count_values(buffer.count(_SEPARATOR, start, stop))

    def close(self) -> None:
        """End the data set: put its tags in order (PS3.18 F.2.2) and let the sequence around it read on."""
        self._end_stretch()
        if not self._sorted:
            self._walk.disordered = True
            in_order = sorted(self.elements.items())
            self.elements.clear()
            self.elements.update(in_order)
        if self._parent:
            self._walk.container = self._parent

    def _read_special(self, buffer: bytes, position: int) -> int:
        """Read an element that is long, nested, bulky, steers the reading or is not all there yet."""
        header = self._header(buffer, position)
        if header is None:
            return self._walk.wait(position, 12)
        tag, stated, length, value = header
        if tag >> 16 == _DELIMITERS:
            return self._read_delimiter(tag & 0xFFFF, position, value)
        if stated in _UNCERTAIN and len(buffer) < value + min(length, 8):
            return self._walk.wait(position, value + min(length, 8) - position)
        vr = self._known_vr(tag, stated, length, buffer[value : value + 8])
        if length == UNDEFINED:
            return self._open_undefined(tag, stated, vr, value)
        if not tag & 0xFFFF:
            return self._skip_group_length(buffer, tag, position, value + length)
        if vr == b"SQ":
            return self._open_sequence(tag, value, length, self._encoding)
        if self._is_bulk(tag, vr, length):
            return self._leave_in_file(tag, vr, value, length)
        end = value + length
        if end > len(buffer):
            return self._walk.wait(position, end - position)
        self._read_whole(tag, vr, buffer[value:end], value)
        return end

    def _header(self, buffer: bytes, position: int) -> tuple[int, bytes, int, int] | None:
        """Tag, VR, length and position of the value; None if the header goes on beyond the buffer.

        A VR that no one knows has the long form if the bytes of a short length are zero, which is how a VR
        that the standard adds later is to be read (PS3.5 7.1.2). Where there are no letters, the VR was left
        out, as some writers do within explicit sequences.
        """
        encoding = self._encoding
        tags = encoding.tags
        if not encoding.explicit:
            key, length = encoding.header(buffer, position)
            return tags.tag(key), tags[key][1], length, position + 8
        key, vr, length = encoding.header(buffer, position)
        if vr in self._decoders.short:
            return tags.tag(key), vr, length, position + 8
        if vr in LONG_FORM or (shows_vr(buffer, position) and length == 0):
            if len(buffer) - position < 12:
                return None
            vr = vr if vr in LONG_FORM else UNKNOWN
            return tags.tag(key), vr, encoding.length(buffer, position + 8)[0], position + 12
        if shows_vr(buffer, position):
            return tags.tag(key), UNKNOWN, length, position + 8
        return tags.tag(key), tags[key][1], encoding.length(buffer, position + 4)[0], position + 8

    def _known_vr(self, tag: int, stated: bytes, length: int, start: bytes) -> bytes:
        """The VR of the value that begins with ``start``, from the dictionaries where the file lacks it."""
        vr = stated
        if vr == UNKNOWN and (tag >> 16 & 1 or length < LONGEST_SHORT_FORM):
            vr = public_vr(tag)
        if vr == PRIVATE:
            block = self.elements.get(f"{tag >> 16:04X}00{tag >> 8 & 0xFF:02X}", {})
            vr = private_vr(tag, str(block.get("Value", [""])[0]))
        if vr == b"SQ" and vr != stated and length and not start.startswith(_ITEM_TAGS):
            vr = UNKNOWN
        if vr == US_OR_SS:
            return b"SS" if self._is_signed() else b"US"
        if vr == US_OR_OW:
            descriptor = self.elements.get("00283002", {}).get("Value")
            return b"US" if descriptor and descriptor[0] == 1 else b"OW"
        return vr

    def _is_signed(self) -> bool:
        """Pixel Representation (0028,0103), of the nearest data set that has it."""
        value = self.elements.get("00280103", {}).get("Value")
        if value or not self._parent:
            return value == [1]
        return self._parent.data_set._is_signed()

    def _read_delimiter(self, element: int, position: int, value: int) -> int:
        """End an item at its delimiter, or before what shows that its delimiter is missing."""
        if self._parent is None:
            if element == _ITEM:
                raise InvalidInstance("An item stands outside a sequence.")
            return value
        self.close()
        return value if element == _ITEM_END else position

    def _skip_group_length(self, buffer: bytes, tag: int, position: int, end: int) -> int:
        """Skip a group length, or the zeros with which some writers pad a file: group length after group length."""
        if tag == 0 and self._parent is None:
            run = buffer[position : position + _PADDING_RUN]
            end = max(end, position + (len(run) - len(run.lstrip(b"\0"))) // 8 * 8)
        self._walk.leave(end - position)
        return end

    def _open_undefined(self, tag: int, stated: bytes, vr: bytes, value: int) -> int:
        """Open a sequence or encapsulated data that ends with a delimiter.

        UN of undefined length is a sequence in Implicit VR Little Endian (PS3.5 6.2.2), though the items of
        some writers show explicit VRs.
        """
        if tag in PIXEL_DATA:
            stated_right = self._encoding.explicit and stated in (b"OB", b"OW")
            return self._open_fragments(tag, stated if stated_right else b"OB", value)
        if stated == UNKNOWN and self._encoding.explicit:
            return self._open_sequence(tag, value, UNDEFINED, EXPLICIT_LITTLE)
        if vr in (b"SQ", UNKNOWN):
            return self._open_sequence(tag, value, UNDEFINED, self._encoding)
        return self._open_fragments(tag, vr, value)

    def _open_sequence(self, tag: int, value: int, length: int, encoding: Encoding) -> int:
        walk = self._walk
        if self.depth >= walk.limits.depth:
            raise HostileInstance(f"Sequences are nested more than {walk.limits.depth} deep.")
        element: Element = {"vr": "SQ"}
        self._put(f"{tag:08X}", element)
        end = NO_END if length == UNDEFINED else walk.base + value + length
        walk.container = SequenceReader(walk, self, f"{tag:08X}", element, encoding, self._charset, end)
        return value

    def _open_fragments(self, tag: int, vr: bytes, value: int) -> int:
        walk = self._walk
        name = f"{tag:08X}"
        reference = self._reference(name)
        element: Element = {"vr": vr.decode("ascii")}
        self._put(name, element)

        def done(encapsulation: Encapsulation) -> None:
            if encapsulation.fragments:
                element["BulkDataURI"] = reference
                walk.bulk[reference] = encapsulation.fragments
            if reference == "7FE00010":
                walk.encapsulation = encapsulation

        walk.container = FragmentReader(walk, self, self._encoding.item, tag in PIXEL_DATA, done)
        return value

    def _is_bulk(self, tag: int, vr: bytes, length: int) -> bool:
        if tag in PIXEL_DATA:
            return length > 0
        if vr in BINARY:
            return length > self._walk.limits.inline and not self._is_offset_table(tag)
        return vr in ARRAYS and length > self._walk.limits.array

    def _is_offset_table(self, tag: int) -> bool:
        return tag in OFFSET_TABLES and self._parent is None

    def _leave_in_file(self, tag: int, vr: bytes, value: int, length: int) -> int:
        self._refer(tag, vr, value, length)
        self._walk.leave(length)
        return value + length

    def _refer(self, tag: int, vr: bytes, value: int, length: int) -> None:
        name = f"{tag:08X}"
        reference = self._reference(name)
        self._walk.bulk[reference] = (ByteRange(self._walk.base + value, length),)
        self._put(name, {"vr": vr.decode("ascii"), "BulkDataURI": reference})

    def _reference(self, name: str) -> str:
        """What a BulkDataURI says; the deeper, the longer, and so it counts for more than one element."""
        self._walk.count(self.depth)
        return self.path() + name

    def _read_whole(self, tag: int, vr: bytes, raw: bytes, value: int) -> None:
        if self._is_offset_table(tag):
            self._walk.offset_tables[tag] = raw
            if len(raw) > self._walk.limits.inline:
                return self._refer(tag, vr, value, len(raw))
        self._walk.count_values(raw.count(_SEPARATOR))
        decoded = self._decoders.short.get(vr)
        element = self._decoders.long[vr](raw) if decoded is None else decoded[raw]
        if tag == SPECIFIC_CHARACTER_SET:
            self._charset = charset_of(str(element.get("Value", [""])[0] or ""))
            self._decoders = decoders(self._encoding.little_endian, self._charset)
        return self._put(f"{tag:08X}", element)

    def _put(self, name: str, element: Element) -> None:
        if name <= self._last:
            self._sorted = False
        self._last = name
        self.elements[name] = element

    def path(self) -> str:
        """The reference of this data set, with a slash behind it; empty for the outermost one."""
        if self._parent is None:
            return ""
        return f"{self._parent.data_set.path()}{self._parent.name}/{len(self._parent.items) - 1}/"


class SequenceReader:
    """The items of a sequence, up to offset ``end`` or the delimiter."""

    __slots__ = ("_charset", "_element", "_encoding", "_end", "_walk", "data_set", "depth", "items", "name")

    def __init__(
        self,
        walk: Walk,
        data_set: DataSetReader,
        name: str,
        element: Element,
        encoding: Encoding,
        charset: Charset,
        end: int,
    ) -> None:
        self._walk = walk
        self._element = element
        self._encoding = encoding
        self._charset = charset
        self._end = end
        self.data_set = data_set
        self.depth = data_set.depth
        self.name = name
        self.items: list[DataSet] = []

    def read(self, buffer: bytes, position: int) -> int:
        """Open the next item or end the sequence."""
        walk = self._walk
        if walk.base + position >= self._end:
            return self._close(position)
        if len(buffer) - position < 8:
            return walk.wait(position, 8)
        group, element, length = self._encoding.item(buffer, position)
        value = position + 8
        if group == _DELIMITERS and element == _ITEM:
            walk.count(1)
            end = NO_END if length == UNDEFINED else walk.base + value + length
            item = DataSetReader(walk, self._encoding, self._charset, end, self)
            self.items.append(item.elements)
            walk.container = item
            return value
        if group == _DELIMITERS and element == _SEQUENCE_END:
            return self._close(value)
        raise InvalidInstance(f"The sequence {self.name} holds something other than items.")

    def _close(self, position: int) -> int:
        if self.items:
            self._element["Value"] = self.items
        self._walk.container = self.data_set
        return position
