"""A large archive's index, filled through its port: there are no files, and metadata are copies of one slice's."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

from benchmarks.data import ROOT, SLICES, Slice, Template
from shared.dicom.attributes import INSTANCE_UID, STUDY_UID
from shared.dicom.conditions import MatchValue
from shared.dicom.model import DataSet, Level
from shared.dicom.scanner import scan
from shared.services.records import admit
from shared.storage.blobs.names import InstanceBlob
from shared.storage.index.model import DEFAULT_PARTITION, Attributes, InstanceRecord
from shared.storage.index.port import CommitMode
from shared.storage.index.sqlite import SqliteIndex
from shared.storage.versions import new_version

SERIES_OF_STUDY = 2
STUDIES_A_DAY = 5
STUDIES_OF_PATIENT = 2
MODALITIES = ("CT", "MR", "PT", "US", "CR")
FIRST_DAY = date(2010, 1, 1)
TOGETHER = 2_000
"""Instances committed at once."""
_STUDY_INSTANCES = SERIES_OF_STUDY * SLICES


@dataclass(frozen=True, slots=True)
class Study:
    """One study of the archive: its patients come twice, its days have five studies, its modalities take turns."""

    number: int

    @property
    def uid(self) -> str:
        return f"{ROOT}.7.{self.number}"

    @property
    def patient(self) -> str:
        return f"A{self.number // STUDIES_OF_PATIENT:09}"

    @property
    def accession(self) -> str:
        return f"N{self.number:09}"

    @property
    def day(self) -> str:
        return f"{FIRST_DAY + timedelta(days=self.number // STUDIES_A_DAY):%Y%m%d}"

    @property
    def modality(self) -> str:
        return MODALITIES[self.number % len(MODALITIES)]

    @property
    def series(self) -> str:
        """The path of its first series."""
        return f"/studies/{self.uid}/series/{self.uid}.0"


def studies(instances: int) -> list[Study]:
    """Those that as many instances make."""
    return [Study(number) for number in range(instances // _STUDY_INSTANCES)]


def fill(file: Path, instances: int) -> None:
    """Make an index of so many instances."""
    asyncio.run(_fill(file, instances))


async def _fill(file: Path, instances: int) -> None:
    index = SqliteIndex(file)
    await index.open()
    try:
        records = _records(instances)
        while together := [record for _, record in zip(range(TOGETHER), records, strict=False)]:
            await index.commit(together, CommitMode.CREATE, 0.0)
    finally:
        await index.close()


def _records(instances: int) -> Iterator[InstanceRecord]:
    part10 = scan(Template(64).file(Slice(0, 0)))
    admission = admit(part10, None, 2)
    for study in studies(instances):
        for number in range(SERIES_OF_STUDY):
            dataset = _dataset(admission.dataset, study, number)
            first = replace(admission, study=study.uid, series=f"{study.uid}.{number}", dataset=dataset)
            pattern = first.record(DEFAULT_PARTITION, 1, "", part10)
            yield from (_instance(pattern, each) for each in range(SLICES))


def _dataset(dataset: DataSet, study: Study, series: int) -> DataSet:
    told = {
        STUDY_UID: study.uid,
        "0020000E": f"{study.uid}.{series}",
        "00100020": study.patient,
        "00080050": study.accession,
        "00080020": study.day,
        "00080060": study.modality,
    }
    return {**dataset, **{tag: {**dataset[tag], "Value": [value]} for tag, value in told.items()}}


def _instance(pattern: InstanceRecord, number: int) -> InstanceRecord:
    """Another instance of the series that a record belongs to."""
    uid = f"{pattern.key.series}.{number}"
    version = new_version()
    own = pattern.levels[Level.INSTANCE]
    told: DataSet = {INSTANCE_UID: {"vr": "UI", "Value": [uid]}, "00200013": {"vr": "IS", "Value": [number]}}
    values: dict[str, MatchValue] = {INSTANCE_UID: uid, "00200013": number}
    return replace(
        pattern,
        key=replace(pattern.key, instance=uid),
        version=version,
        blob=InstanceBlob(DEFAULT_PARTITION, version, CommitMode.CREATE, 2).name,
        levels={**pattern.levels, Level.INSTANCE: Attributes({**own.dataset, **told}, {**own.match, **values})},
    )
