"""The transfer syntax of pixel data that is sent apart from its data set, by its media type (PS3.18 8.7.3.3)."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from struct import unpack
from typing import BinaryIO, Final

from shared.dicom.identifiers import is_uid
from shared.dicom.transfer_syntax import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from shared.errors import InvalidInstance

_UID: Final = "1.2.840.10008.1.2"
_RLE: Final = (f"{_UID}.5",)
_JPEG_LS: Final = (f"{_UID}.4.80", f"{_UID}.4.81")
_MPEG2: Final = (f"{_UID}.4.100", f"{_UID}.4.101")

COMPRESSED: Final[dict[str, tuple[str, ...]]] = {
    "image/dicom-rle": _RLE,
    "image/jls": _JPEG_LS,
    "image/jp2": (f"{_UID}.4.90", f"{_UID}.4.91"),
    "image/jpeg": (f"{_UID}.4.70", f"{_UID}.4.50", f"{_UID}.4.51", f"{_UID}.4.57"),
    "image/jphc": (f"{_UID}.4.201", f"{_UID}.4.202", f"{_UID}.4.203"),
    "image/jpx": (f"{_UID}.4.92", f"{_UID}.4.93"),
    "image/jxl": (f"{_UID}.4.110", f"{_UID}.4.111", f"{_UID}.4.112"),
    "image/x-dicom-rle": _RLE,
    "image/x-jls": _JPEG_LS,
    "video/h265": (f"{_UID}.4.107", f"{_UID}.4.108"),
    "video/mp4": tuple(f"{_UID}.4.{number}" for number in range(102, 107)),
    "video/mpeg": _MPEG2,
    "video/mpeg2": _MPEG2,
}
"""The transfer syntaxes of each media type of compressed data, its default first (PS3.18 table 8.7.3-5 and, for
names with ``x-`` and mpeg2, earlier editions)."""

_LITTLE_ENDIAN: Final = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)
_BIG_ENDIAN: Final = f"{_UID}.2"

_JPEG_START: Final = 0xFFD8
_JPEG_SCAN: Final = 0xFFDA
_JPEG_SEGMENTS: Final = range(0xFFC0, 0xFFFF)
_JPEG_PROCESSES: Final = {0xFFC0: f"{_UID}.4.50", 0xFFC1: f"{_UID}.4.51", 0xFFC3: f"{_UID}.4.57"}
_JPEG_LOSSLESS: Final = f"{_UID}.4.57"
_JPEG_LOSSLESS_FIRST_ORDER: Final = f"{_UID}.4.70"
_MOST_JPEG_SEGMENTS: Final = 1000


def pixel_transfer_syntax(media_type: str, declared: str | None, suggested: Sequence[str], path: Path) -> str:
    """The transfer syntax to store a part of pixel data in: Explicit VR Little Endian if it is uncompressed.

    ``declared`` is the part's own transfer-syntax parameter, ``suggested`` what the metadata name. Without either
    it is the media type's default, except that of a JPEG, kept in the file ``path``, the process is looked up: the
    default is lossless and most JPEGs are not. Raises InvalidInstance for what no Part 10 file can hold.
    """
    if declared in _LITTLE_ENDIAN or (declared is None and media_type == "application/octet-stream"):
        return EXPLICIT_VR_LITTLE_ENDIAN
    if declared == _BIG_ENDIAN:
        raise InvalidInstance("The pixel data is sent in big endian order, which PS3.18 8.7.3 does not allow.")
    if declared is not None:
        return _known(declared)
    if media_type == "image/jpeg":
        return _jpeg_transfer_syntax(path)
    choices = COMPRESSED.get(media_type)
    if choices is None:
        raise InvalidInstance("The pixel data is sent in a media type that no transfer syntax is for.")
    return next((uid for uid in suggested if uid in choices), choices[0])


def _known(transfer_syntax: str) -> str:
    if not transfer_syntax.startswith(f"{_UID}.") or not is_uid(transfer_syntax):
        raise InvalidInstance("The pixel data is sent in a transfer syntax that is none of DICOM.")
    return transfer_syntax


def _jpeg_transfer_syntax(path: Path) -> str:
    """By the start of frame and, where that is a lossless one, the predictor (ITU-T T.81 B.2.2, B.2.3)."""
    with path.open("rb") as file:
        segments = dict(islice(_jpeg_segments(file), _MOST_JPEG_SEGMENTS))
    process = next((uid for marker, uid in _JPEG_PROCESSES.items() if marker in segments), None)
    if process is None:
        raise InvalidInstance("The pixel data sent as JPEG is none, or of a process that no transfer syntax is for.")
    components, *scan = segments.get(_JPEG_SCAN) or b"\0"
    predictor = scan[2 * components : 2 * components + 1]
    return _JPEG_LOSSLESS_FIRST_ORDER if process == _JPEG_LOSSLESS and predictor == [1] else process


def _jpeg_segments(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The marker segments up to the first scan, each with what it holds."""
    marker = int.from_bytes(file.read(2), "big")
    if marker != _JPEG_START:
        return
    while marker in _JPEG_SEGMENTS and marker != _JPEG_SCAN:
        head = file.read(4)
        if len(head) < 4:
            return
        marker, length = unpack(">HH", head)
        yield marker, file.read(max(length - 2, 0))
