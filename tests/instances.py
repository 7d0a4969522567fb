"""Instances made up for tests: Part 10 files of an identity, size and content of our choice."""

import io
from collections.abc import Iterator
from dataclasses import dataclass

from pydicom import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

IDENTITY = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
PATTERN = bytes(range(256)) * 4096
"""1 MiB that pixel data repeats."""


@dataclass(frozen=True, slots=True, order=True)
class Identity:
    """The UIDs of one instance."""

    study: str
    series: str
    instance: str

    @property
    def path(self) -> str:
        """Below the API's URL."""
        return f"/studies/{self.study}/series/{self.series}/instances/{self.instance}"


def new_uid() -> str:
    return str(generate_uid(prefix=None))


def new_identity(study: str | None = None, series: str | None = None) -> Identity:
    return Identity(study or new_uid(), series or new_uid(), new_uid())


def dataset(identity: Identity, *, side: int = 16, frames: int = 1, **attributes: object) -> Dataset:
    """A CT image without its pixel data: square frames of 16-bit pixels; ``attributes`` by keyword."""
    made = Dataset()
    made.SOPClassUID = CTImageStorage
    made.StudyInstanceUID, made.SeriesInstanceUID, made.SOPInstanceUID = (
        identity.study,
        identity.series,
        identity.instance,
    )
    made.PatientID = "P-1"
    made.PatientName = "Test^Patient"
    made.StudyDate = "20240229"
    made.Modality = "CT"
    made.InstanceNumber = 1
    made.SamplesPerPixel = 1
    made.PhotometricInterpretation = "MONOCHROME2"
    made.NumberOfFrames = frames
    made.Rows = made.Columns = side
    made.BitsAllocated = made.BitsStored = 16
    made.HighBit = 15
    made.PixelRepresentation = 0
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return made


def part10(made: Dataset, pixels: bytes | None = None) -> bytes:
    """The file. Pixel data is ``pixels``, else the pattern."""
    length = pixel_bytes(made)
    made.PixelData = (PATTERN * (length // len(PATTERN) + 1))[:length] if pixels is None else pixels
    return _written(made)


def pixel_bytes(made: Dataset) -> int:
    return int(made.Rows) * int(made.Columns) * 2 * int(made.NumberOfFrames)


def streamed(made: Dataset) -> Iterator[bytes]:
    """The same file in chunks, of any size, never whole in memory; pixel data is the pattern."""
    length = pixel_bytes(made)
    yield _written(made) + b"\xe0\x7f\x10\x00OW\0\0" + length.to_bytes(4, "little")
    for left in range(length, 0, -len(PATTERN)):
        yield PATTERN[:left]


def _written(made: Dataset) -> bytes:
    file = io.BytesIO()
    dcmwrite(file, made, enforce_file_format=True)
    return file.getvalue()


def multipart(parts: list[bytes], boundary: str = "a-boundary", part_type: str = "application/dicom") -> bytes:
    """A multipart body of parts that are all of one type."""
    head = f"--{boundary}\r\nContent-Type: {part_type}\r\n\r\n".encode()
    return b"".join(head + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()
