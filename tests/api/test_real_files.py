"""The files that pydicom ships, from many makers: each comes back as it was, its frames as pydicom takes them out."""

import io
import warnings
from collections.abc import Iterator

import pytest
from pydicom import Dataset, dcmread
from pydicom.encaps import generate_frames
from pydicom.errors import InvalidDicomError

from tests.api.client import DICOM, Api, parts
from tests.dicom.real_files import PATHS
from tests.instances import Identity

MAX_BYTES = 1024 * 1024
IDENTITY = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
BIG_ENDIAN = "1.2.840.10008.1.2.2"

REFUSED = {
    "ExplVR_BigEnd.dcm": "(0010,0020)",
    "GDCMJ2K_TextGBR.dcm": "(0010,0020)",
    "MR_truncated.dcm": "ends within",
    "bad_sequence.dcm": "(0008,0018)",
    "color-pl.dcm": "(0010,0020)",
    "color-px.dcm": "(0010,0020)",
    "emri_small_jpeg_2k_lossless_too_short.dcm": "ends within",
    "rtplan_truncated.dcm": "ends within",
}
"""Files that lack what version 2 of the API requires, and a word of the reason."""

TAKEN_OTHERWISE = {"badVR.dcm", "rtdose_expb.dcm", "rtdose_expb_1frame.dcm"}
"""The first has no number as its number of frames; pydicom's makers swapped the others, which are OW, as if it had
words of 32 bits (PS3.5 6.2)."""


def storable() -> Iterator[str]:
    """The files of moderate size that say which instance they are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in PATHS:
            try:
                made = dcmread(path, stop_before_pixels=True)
            except (InvalidDicomError, NotImplementedError, AttributeError, OSError):
                continue
            if path.stat().st_size <= MAX_BYTES and all(made.get(keyword) for keyword in IDENTITY):
                yield path.name


FILES = {path.name: path for path in PATHS}


def frames_of(made: Dataset) -> list[bytes]:
    """The frames, in little endian order."""
    count = int(made.get("NumberOfFrames") or 1)
    if made.file_meta.TransferSyntaxUID.is_encapsulated:
        return list(generate_frames(made.PixelData, number_of_frames=count))
    pixels = made.PixelData
    if made.file_meta.TransferSyntaxUID == BIG_ENDIAN and made["PixelData"].VR == "OW":
        pixels = b"".join(pixels[at : at + 2][::-1] for at in range(0, len(pixels), 2))
    size = made.Rows * made.Columns * made.SamplesPerPixel * made.BitsAllocated
    if made.PhotometricInterpretation == "YBR_FULL_422":
        size = size * 2 // 3
    bits = int.from_bytes(pixels, "little")
    mask = (1 << size) - 1
    return [(bits >> number * size & mask).to_bytes((size + 7) // 8, "little") for number in range(count)]


@pytest.mark.parametrize("name", sorted(set(storable()) - set(REFUSED)))
@pytest.mark.filterwarnings("ignore")
def test_a_real_file(partition: Api, name: str) -> None:
    file = FILES[name].read_bytes()
    made = dcmread(io.BytesIO(file))
    identity = Identity(*(str(made[keyword].value) for keyword in IDENTITY[:3]))
    partition.keep(file)
    assert partition.get(identity.path, DICOM).content == file
    assert partition.search(f"instances?SOPInstanceUID={identity.instance}")
    if name in TAKEN_OTHERWISE:
        return
    expected = frames_of(made) if "PixelData" in made else []
    numbers = ",".join(str(number) for number in range(1, len(expected) + 1)) or "1"
    answer = partition.get(f"{identity.path}/frames/{numbers}")
    assert answer.status_code == (200 if expected else 404), answer.text
    found = parts(answer) if expected else []
    assert [unpadded(part.content) for part in found] == list(map(unpadded, expected))


def unpadded(frame: bytes) -> bytes:
    """Whether a compressed frame has a byte of padding is known only where its length is written."""
    return frame.rstrip(b"\0")


@pytest.mark.parametrize(("name", "reason"), REFUSED.items())
def test_a_real_file_that_is_refused(partition: Api, name: str, reason: str) -> None:
    answer = partition.store(FILES[name].read_bytes())
    assert answer.status_code == 409
    (failed,) = answer.json()["00081198"]["Value"]
    comments = [item["00000902"]["Value"][0] for item in failed["00741048"]["Value"]]
    assert any(reason in comment for comment in comments)
