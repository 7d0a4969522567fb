"""The images that the benchmark stores: slices made from pydicom's CT, and one object of many frames."""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID, ExplicitVRLittleEndian

ROOT = "1.2.826.0.1.3680043.10.1443"
"""What all UIDs here begin with."""
SLICES = 40
"""Slices of one study, all in one series: 20 MB at 512²."""


@dataclass(frozen=True, slots=True)
class Slice:
    """The identity of one slice."""

    study: int
    number: int

    @property
    def study_uid(self) -> str:
        return f"{ROOT}.1.1{self.study:013}"

    @property
    def series_uid(self) -> str:
        return f"{ROOT}.2.1{self.study:013}"

    @property
    def instance_uid(self) -> str:
        return f"{ROOT}.3.1{self.study * 100_000 + self.number:013}"

    @property
    def patient(self) -> str:
        return f"P1{self.study:013}"

    @property
    def series_path(self) -> str:
        return f"/studies/{self.study_uid}/series/{self.series_uid}"

    @property
    def path(self) -> str:
        return f"{self.series_path}/instances/{self.instance_uid}"


class Template:
    """A Part 10 file whose identity is filled in by copying bytes, so that making files costs the load little."""

    def __init__(self, side: int, frames: int = 1) -> None:
        """``side`` is that of the square frames, in pixels of 16 bits."""
        marked = Slice(0, 0)
        self._file = _file(side, frames, marked)
        self._marks = [
            (found, name)
            for name in ("study_uid", "series_uid", "instance_uid", "patient")
            for found in _all(self._file, getattr(marked, name).encode())
        ]

    def __len__(self) -> int:
        return len(self._file)

    def file(self, identity: Slice) -> bytes:
        """The file of one slice."""
        made = bytearray(self._file)
        for start, name in self._marks:
            value = getattr(identity, name).encode()
            made[start : start + len(value)] = value
        return bytes(made)


def _file(side: int, frames: int, identity: Slice) -> bytes:
    made = dcmread(str(get_testdata_file("CT_small.dcm")))
    pixels = np.resize(made.pixel_array, (frames, side, side)).astype("<i2")
    made.Rows = made.Columns = side
    if frames > 1:
        made.NumberOfFrames = frames
    made.PixelData = pixels.tobytes()
    made.StudyInstanceUID, made.SeriesInstanceUID = identity.study_uid, identity.series_uid
    made.SOPInstanceUID = identity.instance_uid
    made.file_meta.MediaStorageSOPInstanceUID = UID(identity.instance_uid)
    made.PatientID = identity.patient
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.pop("DataSetTrailingPadding", None)
    file = io.BytesIO()
    dcmwrite(file, made, enforce_file_format=True)
    return file.getvalue()


def _all(text: bytes, part: bytes) -> Iterator[int]:
    found = text.find(part)
    while found >= 0:
        yield found
        found = text.find(part, found + 1)


def study(number: int) -> list[Slice]:
    """The slices of a study."""
    return [Slice(number, each) for each in range(SLICES)]
