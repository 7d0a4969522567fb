"""Makes a Part 10 file of metadata and bulk data that were sent apart (PS3.18 10.5.1, PS3.10 7.1)."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from struct import pack
from typing import Any, Final, TypeAlias

from shared.dicom.attributes import INSTANCE_UID, SERIES_UID, STUDY_UID
from shared.dicom.explicit_vr import (
    LONGEST_VALUE,
    UNDEFINED_LENGTH,
    VRS,
    decode_binary,
    element,
    element_header,
    encode_value,
    item_header,
    padding,
)
from shared.dicom.identifiers import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, trim_uid
from shared.dicom.limits import DEFAULT_LIMITS
from shared.dicom.model import DataSet
from shared.dicom.pixel_media import pixel_transfer_syntax
from shared.dicom.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN, VIDEO, is_native
from shared.errors import HostileInstance, InvalidInstance, StorageError

SPECIFIC_CHARACTER_SET: Final = "00080005"
SOP_CLASS_UID: Final = "00080016"
NUMBER_OF_FRAMES: Final = "00280008"
BITS_ALLOCATED: Final = "00280100"
PIXEL_DATA: Final = "7FE00010"
TRANSFER_SYNTAX_UID: Final = "00020010"
AVAILABLE_TRANSFER_SYNTAX_UID: Final = "00083002"

_ITEM: Final = "FFFEE000"
_ITEM_END: Final = "FFFEE00D"
_SEQUENCE_END: Final = "FFFEE0DD"
_CHUNK: Final = 256 * 1024

_OTHER_GROUPS: Final = ("0000", "0002", "FFFE")
"""Commands, file meta information and delimiters: nothing that a data set consists of."""

_FORMS: Final = frozenset(("Value", "InlineBinary", "BulkDataURI"))
_TAG: Final = re.compile(r"[0-9A-Fa-f]{8}").fullmatch


@dataclass(frozen=True, slots=True)
class BulkSource:
    """One part of bulk data, ``length`` bytes in the file ``path``.

    ``media_type`` is in lower case and without parameters; ``transfer_syntax`` is the parameter of that name.
    """

    path: Path
    length: int
    media_type: str
    transfer_syntax: str | None = None


Bulk: TypeAlias = Mapping[str, Sequence[BulkSource]]
"""The parts that were sent, by the BulkDataURI they are for: several, one per frame, only for pixel data."""

_Piece: TypeAlias = bytes | BulkSource


def compose(dataset: DataSet, bulk: Bulk) -> Iterator[bytes]:
    """The bytes of a Part 10 file that has the values of ``dataset`` and, for its BulkDataURIs, those of ``bulk``.

    The data set comes as received: keys in any order and letter case, file meta elements among them. The transfer
    syntax is that of the pixel data (see ``pixel_transfer_syntax``), Explicit VR Little Endian without any; each
    part of compressed pixel data is one frame, or a whole video. No URI is ever fetched.

    What is wrong with the metadata or missing in ``bulk`` raises InvalidInstance at once, before the first byte.
    """
    dataset = _keyed(dataset)
    named = (*_values(dataset, TRANSFER_SYNTAX_UID), *_values(dataset, AVAILABLE_TRANSFER_SYNTAX_UID))
    suggested = tuple(uid for uid in named if isinstance(uid, str))
    transfer_syntax = _transfer_syntax(dataset, bulk, suggested)
    writing = _Writing(bulk, suggested, transfer_syntax, utf8=not _is_ascii(dataset))
    if writing.utf8:
        dataset[SPECIFIC_CHARACTER_SET] = {"vr": "CS", "Value": ["ISO_IR 192"]}
    return _stream([_file_meta(dataset, transfer_syntax), *_data_set(dataset, writing, depth=0)])


@dataclass(frozen=True, slots=True)
class _Writing:
    """What the writing of every element depends on."""

    bulk: Bulk
    suggested: Sequence[str]
    transfer_syntax: str
    utf8: bool


def _file_meta(dataset: DataSet, transfer_syntax: str) -> bytes:
    """Preamble, prefix and file meta information (PS3.10 7.1)."""
    uids = {tag: _uid(dataset, tag) for tag in (SOP_CLASS_UID, INSTANCE_UID, STUDY_UID, SERIES_UID)}
    information = (
        element("00020001", "OB", b"\0\1"),
        element("00020002", "UI", uids[SOP_CLASS_UID]),
        element("00020003", "UI", uids[INSTANCE_UID]),
        element(TRANSFER_SYNTAX_UID, "UI", transfer_syntax.encode()),
        element("00020012", "UI", IMPLEMENTATION_CLASS_UID.encode()),
        element("00020013", "SH", IMPLEMENTATION_VERSION_NAME.encode()),
    )
    length = pack("<I", sum(map(len, information)))
    return b"".join((bytes(128), b"DICM", element("00020000", "UL", length), *information))


def _data_set(dataset: Any, writing: _Writing, depth: int) -> Iterator[_Piece]:
    if depth > DEFAULT_LIMITS.depth:
        raise HostileInstance("The metadata have too many sequences within sequences.")
    dataset = _keyed(dataset)
    for tag, found in dataset.items():
        replaced = depth > 0 and writing.utf8 and tag == SPECIFIC_CHARACTER_SET
        if tag[:4] not in _OTHER_GROUPS and tag[4:] != "0000" and tag != AVAILABLE_TRANSFER_SYNTAX_UID and not replaced:
            yield from _element(tag, found, dataset, writing, depth)


def _element(tag: str, found: dict[str, Any], dataset: DataSet, writing: _Writing, depth: int) -> Iterator[_Piece]:
    vr, values = found.get("vr"), found.get("Value") or []
    if not isinstance(vr, str) or vr not in VRS or not isinstance(values, list) or len(found.keys() & _FORMS) > 1:
        raise InvalidInstance(f"{_shown(tag)} in the metadata has no known VR, or not one list of values.")
    if "BulkDataURI" in found:
        yield from _bulk_data(tag, vr, writing.bulk.get(str(found["BulkDataURI"]), ()), dataset, writing)
    elif "InlineBinary" in found:
        value = decode_binary(tag, vr, found["InlineBinary"])
        yield element(tag, _native_vr(dataset, vr) if tag == PIXEL_DATA else vr, value)
    elif values and vr == "SQ":
        yield from _sequence(tag, values, writing, depth)
    else:
        yield element(tag, vr, encode_value(tag, vr, values) if values else b"")


def _sequence(tag: str, items: list[Any], writing: _Writing, depth: int) -> Iterator[_Piece]:
    yield element_header(tag, "SQ", UNDEFINED_LENGTH)
    for item in items:
        yield item_header(_ITEM, UNDEFINED_LENGTH)
        yield from _data_set({} if item is None else item, writing, depth + 1)
        yield item_header(_ITEM_END, 0)
    yield item_header(_SEQUENCE_END, 0)


def _bulk_data(
    tag: str, vr: str, sources: Sequence[BulkSource], dataset: DataSet, writing: _Writing
) -> Iterator[_Piece]:
    if not sources or vr == "SQ":
        raise InvalidInstance(f"No bulk data was sent for {_shown(tag)}.")
    if tag == PIXEL_DATA:
        yield from _pixel_data(sources, vr, dataset, writing)
    elif len(sources) > 1:
        raise InvalidInstance(f"More than one part of bulk data was sent for {_shown(tag)}.")
    else:
        yield from _defined_length(tag, vr, sources)


def _pixel_data(sources: Sequence[BulkSource], vr: str, dataset: DataSet, writing: _Writing) -> Iterator[_Piece]:
    transfer_syntax = _common_transfer_syntax(sources, writing.suggested)
    if transfer_syntax == EXPLICIT_VR_LITTLE_ENDIAN:
        yield from _defined_length(PIXEL_DATA, _native_vr(dataset, vr), sources)
    elif transfer_syntax != writing.transfer_syntax:
        raise InvalidInstance("Pixel data within a sequence has another transfer syntax than the instance itself.")
    elif transfer_syntax not in VIDEO and len(sources) != _number_of_frames(dataset):
        raise InvalidInstance("There are not as many parts of compressed pixel data as the instance has frames.")
    else:
        yield from _encapsulated(sources)


def _defined_length(tag: str, vr: str, sources: Sequence[BulkSource]) -> Iterator[_Piece]:
    length = sum(source.length for source in sources)
    pad = padding(vr, length)
    yield element_header(tag, vr, _writable(length + len(pad)))
    yield from sources
    yield pad


def _encapsulated(sources: Sequence[BulkSource]) -> Iterator[_Piece]:
    """An empty Basic Offset Table and each part as one fragment (PS3.5 A.4)."""
    yield element_header(PIXEL_DATA, "OB", UNDEFINED_LENGTH)
    yield item_header(_ITEM, 0)
    for source in sources:
        pad = padding("OB", source.length)
        yield item_header(_ITEM, _writable(source.length + len(pad)))
        yield source
        yield pad
    yield item_header(_SEQUENCE_END, 0)


def _writable(length: int) -> int:
    if length > LONGEST_VALUE:
        raise InvalidInstance("A value of 4 GiB or more can't be written to a Part 10 file.")
    return length


def _transfer_syntax(dataset: DataSet, bulk: Bulk, suggested: Sequence[str]) -> str:
    pixel_data = dataset.get(PIXEL_DATA, {})
    if "InlineBinary" in pixel_data and not all(map(is_native, suggested)):
        raise InvalidInstance("Compressed pixel data has to be sent in parts of its own.")
    sources = bulk.get(str(pixel_data.get("BulkDataURI")), ())
    return _common_transfer_syntax(sources, suggested) if sources else EXPLICIT_VR_LITTLE_ENDIAN


def _common_transfer_syntax(sources: Sequence[BulkSource], suggested: Sequence[str]) -> str:
    found = {
        pixel_transfer_syntax(source.media_type, source.transfer_syntax, suggested, source.path) for source in sources
    }
    if len(found) > 1:
        raise InvalidInstance("The parts of the pixel data are not all in one transfer syntax.")
    return found.pop()


def _native_vr(dataset: DataSet, vr: str) -> str:
    """OW for cells of more than 8 bits, whatever the VR was while they were compressed (PS3.5 A.2)."""
    return "OW" if vr not in ("OB", "OW") or _number(dataset, BITS_ALLOCATED, 16) > 8 else vr


def _number_of_frames(dataset: DataSet) -> int:
    return _number(dataset, NUMBER_OF_FRAMES, 1)


def _number(dataset: DataSet, tag: str, default: int) -> int:
    try:
        return int(_values(dataset, tag)[0])
    except (IndexError, TypeError, ValueError):
        return default


def _uid(dataset: DataSet, tag: str) -> bytes:
    values = _values(dataset, tag)
    uid = trim_uid(values[0]) if values and isinstance(values[0], str) else ""
    if not uid:
        raise InvalidInstance(f"{_shown(tag)} is missing in the metadata.")
    return uid.encode("ascii", "replace")


def _values(dataset: DataSet, tag: str) -> list[Any]:
    values = dataset.get(tag, {}).get("Value")
    return values if isinstance(values, list) else []


def _keyed(dataset: Any) -> DataSet:
    """The elements in the order of their tags."""
    if not isinstance(dataset, dict) or not all(map(_TAG, dataset)):
        raise InvalidInstance("The metadata are not made of objects whose members are named by 8 hexadecimal digits.")
    if not all(isinstance(found, dict) for found in dataset.values()):
        raise InvalidInstance("The metadata have an element that is no object.")
    return dict(sorted((tag.upper(), found) for tag, found in dataset.items()))


def _is_ascii(dataset: DataSet) -> bool:
    pending: list[Any] = [dataset]
    while pending:
        value = pending.pop()
        if isinstance(value, str) and not value.isascii():
            return False
        if isinstance(value, dict):
            pending += value.values()
        elif isinstance(value, list):
            pending += value
    return True


def _shown(tag: str) -> str:
    return f"({tag[:4]},{tag[4:]})"


def _stream(pieces: Iterable[_Piece]) -> Iterator[bytes]:
    buffer = bytearray()
    for piece in pieces:
        if isinstance(piece, bytes):
            buffer += piece
        if buffer and (len(buffer) >= _CHUNK or isinstance(piece, BulkSource)):
            yield bytes(buffer)
            buffer.clear()
        if isinstance(piece, BulkSource):
            yield from _contents(piece)
    yield bytes(buffer)


def _contents(source: BulkSource) -> Iterator[bytes]:
    left = source.length
    with source.path.open("rb") as file:
        while left and (chunk := file.read(min(left, _CHUNK))):
            left -= len(chunk)
            yield chunk
    if left:
        raise StorageError("A part of bulk data could not be read back.")
