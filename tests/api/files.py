"""Part 10 files for API tests: in every kind of transfer syntax, and such that no correct writer makes."""

import io
from collections.abc import Sequence
from functools import cache
from typing import Any

from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.filewriter import dcmwrite
from pydicom.uid import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    RLELossless,
)

from tests.dicom.building import explicit, part10
from tests.instances import Identity, dataset, new_identity

IMPLICIT = str(ImplicitVRLittleEndian)
EXPLICIT = str(ExplicitVRLittleEndian)
DEFLATED = str(DeflatedExplicitVRLittleEndian)
BIG_ENDIAN = str(ExplicitVRBigEndian)
JPEG = str(JPEGBaseline8Bit)
RLE = str(RLELossless)


def written(made: Dataset, transfer_syntax: str = EXPLICIT) -> bytes:
    """The Part 10 file of a data set."""
    made.file_meta.TransferSyntaxUID = UID(transfer_syntax)
    file = io.BytesIO()
    dcmwrite(file, made, enforce_file_format=True)
    return file.getvalue()


def without_pixels(identity: Identity | None = None, transfer_syntax: str = EXPLICIT, **attributes: Any) -> bytes:
    """A file of a few hundred bytes; ``attributes`` by keyword."""
    return written(dataset(identity or new_identity(), **attributes), transfer_syntax)


def native(identity: Identity, pixels: bytes, *, transfer_syntax: str = EXPLICIT, **attributes: Any) -> bytes:
    """A file with uncompressed pixel data, its words in little endian order."""
    made = dataset(identity, **attributes)
    made.PixelData = pixels
    made["PixelData"].VR = "OW" if made.BitsAllocated > 8 else "OB"
    if transfer_syntax == BIG_ENDIAN and made.BitsAllocated == 16:
        made.PixelData = b"".join(pixels[at : at + 2][::-1] for at in range(0, len(pixels), 2))
    return written(made, transfer_syntax)


def encapsulated(
    identity: Identity,
    frames: Sequence[bytes],
    *,
    transfer_syntax: str = JPEG,
    fragments: int = 1,
    table: str | None = "basic",
    **attributes: Any,
) -> bytes:
    """A file with compressed frames, each in ``fragments`` pieces, with a ``table`` of offsets or None."""
    made = dataset(identity, frames=len(frames), **attributes)
    if table == "extended":
        made.PixelData, made.ExtendedOffsetTable, made.ExtendedOffsetTableLengths = encapsulate_extended(list(frames))
    else:
        made.PixelData = encapsulate(list(frames), fragments_per_frame=fragments, has_bot=table == "basic")
    made["PixelData"].VR = "OB"
    return written(made, transfer_syntax)


@cache
def real(name: str) -> bytes:
    """A file that pydicom ships."""
    path = get_testdata_file(name)
    assert isinstance(path, str)
    with open(path, "rb") as file:
        return file.read()


def renamed(file: bytes, identity: Identity) -> bytes:
    """The file written anew by pydicom, with other UIDs."""
    made = dcmread(io.BytesIO(file))
    made.StudyInstanceUID, made.SeriesInstanceUID = identity.study, identity.series
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = UID(identity.instance)
    return written(made, str(made.file_meta.TransferSyntaxUID))


def identity_of(file: bytes) -> Identity:
    made = dcmread(io.BytesIO(file), stop_before_pixels=True)
    return Identity(str(made.StudyInstanceUID), str(made.SeriesInstanceUID), str(made.SOPInstanceUID))


def by_hand(identity: Identity, elements: bytes = b"", **values: bytes | None) -> bytes:
    """A minimal Explicit VR file whose values are written as given, however wrong, and not padded.

    ``values`` replace those of ``MINIMAL`` by keyword; None leaves the element out. ``elements`` follow them all.
    """
    own = {
        "StudyInstanceUID": identity.study.encode(),
        "SeriesInstanceUID": identity.series.encode(),
        "SOPInstanceUID": identity.instance.encode(),
    }
    found = DEFAULTS | own | values
    body = b"".join(
        explicit(tag, vr, value)
        for keyword, (tag, vr) in sorted(MINIMAL.items(), key=lambda entry: entry[1])
        if (value := found.get(keyword)) is not None
    )
    return part10(body + elements)


DEFAULTS: dict[str, bytes] = {"SOPClassUID": str(CTImageStorage).encode(), "PatientID": b"P-1", "PatientName": b"A^B"}

MINIMAL = {
    "SOPClassUID": (0x00080016, "UI"),
    "SOPInstanceUID": (0x00080018, "UI"),
    "StudyDate": (0x00080020, "DA"),
    "AccessionNumber": (0x00080050, "SH"),
    "Modality": (0x00080060, "CS"),
    "StudyDescription": (0x00081030, "LO"),
    "PatientName": (0x00100010, "PN"),
    "PatientID": (0x00100020, "LO"),
    "PatientBirthDate": (0x00100030, "DA"),
    "StudyInstanceUID": (0x0020000D, "UI"),
    "SeriesInstanceUID": (0x0020000E, "UI"),
}
