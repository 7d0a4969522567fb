"""Media types: reading them leniently, and which one the frames of each transfer syntax have (PS3.18 8.7)."""

import re
from dataclasses import dataclass

from shared.dicom.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN
from shared.errors import UnsupportedMediaType

DICOM = "application/dicom"
DICOM_JSON = "application/dicom+json"
DICOM_XML = "application/dicom+xml"
JSON = "application/json"
OCTET_STREAM = "application/octet-stream"
ZIP = "application/zip"

FRAME_SYNTAXES: dict[str, dict[str, str]] = {
    OCTET_STREAM: {
        "1.2.840.10008.1.2": "Implicit VR Little Endian",
        "1.2.840.10008.1.2.1": "Explicit VR Little Endian",
        "1.2.840.10008.1.2.1.98": "Encapsulated Uncompressed Explicit VR Little Endian",
        "1.2.840.10008.1.2.1.99": "Deflated Explicit VR Little Endian",
        "1.2.840.10008.1.2.2": "Explicit VR Big Endian",
    },
    "image/jpeg": {
        "1.2.840.10008.1.2.4.50": "JPEG Baseline",
        "1.2.840.10008.1.2.4.51": "JPEG Extended",
        "1.2.840.10008.1.2.4.57": "JPEG Lossless",
        "1.2.840.10008.1.2.4.70": "JPEG Lossless, First-Order Prediction",
    },
    "image/dicom-rle": {
        "1.2.840.10008.1.2.5": "RLE Lossless",
    },
    "image/jls": {
        "1.2.840.10008.1.2.4.80": "JPEG-LS Lossless",
        "1.2.840.10008.1.2.4.81": "JPEG-LS Near-Lossless",
    },
    "image/jp2": {
        "1.2.840.10008.1.2.4.90": "JPEG 2000 Lossless",
        "1.2.840.10008.1.2.4.91": "JPEG 2000",
    },
    "image/jpx": {
        "1.2.840.10008.1.2.4.92": "JPEG 2000 Multi-component Lossless",
        "1.2.840.10008.1.2.4.93": "JPEG 2000 Multi-component",
    },
    "image/jphc": {
        "1.2.840.10008.1.2.4.201": "High-Throughput JPEG 2000 Lossless",
        "1.2.840.10008.1.2.4.202": "High-Throughput JPEG 2000 Lossless RPCL",
        "1.2.840.10008.1.2.4.203": "High-Throughput JPEG 2000",
    },
    "image/jxl": {
        "1.2.840.10008.1.2.4.110": "JPEG XL Lossless",
        "1.2.840.10008.1.2.4.111": "JPEG XL JPEG Recompression",
        "1.2.840.10008.1.2.4.112": "JPEG XL",
    },
    "video/mpeg": {
        "1.2.840.10008.1.2.4.100": "MPEG2 Main Level",
        "1.2.840.10008.1.2.4.100.1": "Fragmentable MPEG2 Main Level",
        "1.2.840.10008.1.2.4.101": "MPEG2 High Level",
        "1.2.840.10008.1.2.4.101.1": "Fragmentable MPEG2 High Level",
    },
    "video/mp4": {
        "1.2.840.10008.1.2.4.102": "MPEG-4 High Profile Level 4.1",
        "1.2.840.10008.1.2.4.102.1": "Fragmentable MPEG-4 High Profile Level 4.1",
        "1.2.840.10008.1.2.4.103": "MPEG-4 BD-compatible High Profile Level 4.1",
        "1.2.840.10008.1.2.4.103.1": "Fragmentable MPEG-4 BD-compatible High Profile Level 4.1",
        "1.2.840.10008.1.2.4.104": "MPEG-4 High Profile Level 4.2 for 2D Video",
        "1.2.840.10008.1.2.4.104.1": "Fragmentable MPEG-4 High Profile Level 4.2 for 2D Video",
        "1.2.840.10008.1.2.4.105": "MPEG-4 High Profile Level 4.2 for 3D Video",
        "1.2.840.10008.1.2.4.105.1": "Fragmentable MPEG-4 High Profile Level 4.2 for 3D Video",
        "1.2.840.10008.1.2.4.106": "MPEG-4 Stereo High Profile Level 4.2",
        "1.2.840.10008.1.2.4.106.1": "Fragmentable MPEG-4 Stereo High Profile Level 4.2",
    },
    "video/h265": {
        "1.2.840.10008.1.2.4.107": "HEVC Main Profile Level 5.1",
        "1.2.840.10008.1.2.4.108": "HEVC Main 10 Profile Level 5.1",
    },
}
"""The media type of single frames, or of a whole video, and the transfer syntaxes that it carries, each with
its name (PS3.18 tables 8.7.3-4 and 8.7.3-5)."""

OLDER_NAMES = {"image/dicom-rle": "image/x-dicom-rle", "image/jls": "image/x-jls", "video/mpeg": "video/mpeg2"}
"""What earlier editions of PS3.18 called some of these media types; clients still ask by these names."""

_MEDIA_TYPES = {uid: media_type for media_type, syntaxes in FRAME_SYNTAXES.items() for uid in syntaxes}
_NAMES = {uid: name for syntaxes in FRAME_SYNTAXES.values() for uid, name in syntaxes.items()}

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105  RFC 9110 5.6.2  # nosec B105
_ESSENCE = re.compile(rf"({_TOKEN})/({_TOKEN})")
_PARAMETER = re.compile(r'(?:[^;"]+|"[^"]*"|")+')
_MEMBER = re.compile(r'(?:[^,"]+|"[^"]*"|")+')


@dataclass(frozen=True, slots=True)
class MediaType:
    """A media type or range; ``type``, ``subtype`` and the keys of ``params`` are in lower case."""

    type: str
    subtype: str
    params: dict[str, str]

    @property
    def essence(self) -> str:
        """``type/subtype`` without the parameters."""
        return f"{self.type}/{self.subtype}"


def parse_media_type(value: str) -> MediaType | None:
    """Read one media type with its parameters; None if it has no ``type/subtype``.

    Lenient (RFC 9110 5.6.6 and what clients send): values quoted or not, with slashes or without; of
    a duplicate parameter the first counts; stray semicolons and white space are skipped. A ``+`` that
    was decoded to a space in a query string is put back.
    """
    essence, *parameters = _PARAMETER.findall(value) or [""]
    match = _ESSENCE.fullmatch(essence.strip().replace(" ", "+"))
    if match is None:
        return None
    params: dict[str, str] = {}
    for parameter in parameters:
        name, separator, text = parameter.partition("=")
        if separator:
            params.setdefault(name.strip().lower(), text.strip().strip('"').strip())
    return MediaType(match[1].lower(), match[2].lower(), params)


def parse_content_type(value: str) -> MediaType:
    """Read a Content-Type header. Raises UnsupportedMediaType if it names no media type."""
    media_type = parse_media_type(value)
    if media_type is None:
        raise UnsupportedMediaType("The Content-Type header holds no media type.")
    return media_type


def split_list(value: str) -> list[str]:
    """The members of a comma-separated header (RFC 9110 5.6.1); commas within quotes don't separate."""
    return [member.strip() for member in _MEMBER.findall(value) if member.strip()]


def frame_media_type(transfer_syntax: str) -> str:
    """The media type of a frame stored in a transfer syntax; of one that PS3.18 does not list, octet-stream."""
    return _MEDIA_TYPES.get(transfer_syntax, OCTET_STREAM)


def frame_transfer_syntax(transfer_syntax: str) -> str:
    """What a frame's ``transfer-syntax`` parameter says for the transfer syntax it is stored in or asked for in.

    All uncompressed frames are sent as little endian streams, which PS3.18 8.7.3 names Explicit VR only.
    """
    return EXPLICIT_VR_LITTLE_ENDIAN if transfer_syntax in FRAME_SYNTAXES[OCTET_STREAM] else transfer_syntax


def transfer_syntax_name(transfer_syntax: str) -> str:
    """The name and UID of a transfer syntax, for people to read."""
    name = _NAMES.get(transfer_syntax)
    return f"{name} ({transfer_syntax})" if name else transfer_syntax


def with_transfer_syntax(media_type: str, transfer_syntax: str) -> str:
    """A Content-Type; the parameter is unquoted because viewers cut it out raw, up to the next semicolon."""
    return f"{media_type}; transfer-syntax={transfer_syntax}"
