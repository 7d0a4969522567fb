"""Three studies of two patients, made so that every search by a client finds a part of them."""

import io
from collections.abc import Sequence

from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence as Items

from tests.instances import dataset, new_identity, new_uid, part10

SIDE = 16
FRAMES = 4


class Archive:
    """``anna`` has a CT and a SEG series, ``james`` an MR series of multi-frame images, ``charlie`` one SR."""

    def __init__(self) -> None:
        self.anna = [as_read(made) for made in self._anna()]
        self.james = [as_read(made) for made in self._james()]
        self.charlie = [as_read(made) for made in self._charlie()]
        self.files = [part10(made) for made in self.datasets]

    @property
    def studies(self) -> tuple[list[Dataset], ...]:
        return self.anna, self.james, self.charlie

    @property
    def datasets(self) -> list[Dataset]:
        return [made for study in self.studies for made in study]

    @property
    def image(self) -> Dataset:
        """A multi-frame image."""
        return self.james[0]

    def _anna(self) -> list[Dataset]:
        study, ct, seg = new_uid(), new_uid(), new_uid()
        common = {
            "PatientName": "Müller^Anna",
            "SpecificCharacterSet": "ISO_IR 192",
            "PatientID": "A-1",
            "StudyDate": "20240101",
            "AccessionNumber": "ACC-1",
            "StudyDescription": "CT of the chest",
        }
        images = [
            dataset(new_identity(study, ct), InstanceNumber=number, SeriesNumber=1, SeriesDescription="Axial", **common)
            for number in (1, 2, 3)
        ]
        segmentation = dataset(new_identity(study, seg), Modality="SEG", SeriesNumber=2, **common)
        segmentation.RequestAttributesSequence = Items([Dataset()])
        segmentation.RequestAttributesSequence[0].RequestedProcedureID = "RP-7"
        return [*images, segmentation]

    def _james(self) -> list[Dataset]:
        study, series = new_uid(), new_uid()
        return [
            dataset(
                new_identity(study, series),
                frames=FRAMES,
                PatientName="Brown^James",
                PatientID="B-2",
                StudyDate="20240215",
                AccessionNumber="ACC-2",
                Modality="MR",
                InstanceNumber=number,
            )
            for number in (1, 2)
        ]

    def _charlie(self) -> list[Dataset]:
        return [
            dataset(
                new_identity(),
                PatientName="Brown^Charlie",
                PatientID="B-3",
                StudyDate="20240330",
                AccessionNumber="ACC-3",
                Modality="OT",
            )
        ]


def as_read(made: Dataset) -> Dataset:
    """The same with pixel data, as a program has it that read it from a file."""
    return dcmread(io.BytesIO(part10(made)))


def uids(made: Dataset) -> tuple[str, str, str]:
    return str(made.StudyInstanceUID), str(made.SeriesInstanceUID), str(made.SOPInstanceUID)


def frame(made: Dataset, number: int) -> bytes:
    """The bytes of a frame, from 1."""
    length = int(made.Rows) * int(made.Columns) * 2
    pixels: bytes = made.PixelData
    return pixels[(number - 1) * length : number * length]


def study_uids(studies: Sequence[list[Dataset]]) -> set[str]:
    return {str(study[0].StudyInstanceUID) for study in studies}
