"""The Part 10 files of pydicom and pydicom-data, as pydicom reads them and in the DICOM JSON model."""

import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from pydicom import DataElement, Dataset, FileDataset, dcmread
from pydicom.data.data_manager import DATA_ROOT, external_data_sources
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.errors import InvalidDicomError

from shared.dicom.model import DataSet

BulkHandler: TypeAlias = Callable[[DataElement], str]

FOLDERS = [Path(DATA_ROOT), *(Path(source.data_path) for source in external_data_sources().values())]
PATHS = sorted(path for folder in FOLDERS for path in folder.rglob("*.dcm") if path.is_file())


def real_files() -> Iterator[tuple[str, FileDataset]]:
    """Every file that pydicom can read at all, with its name. Warnings are to be silenced while iterating."""
    for path in PATHS:
        try:
            yield path.name, dcmread(path)
        except (InvalidDicomError, NotImplementedError, AttributeError, OSError):
            continue


@cache
def real_data_sets() -> dict[str, DataSet]:
    """Every readable file as DICOM JSON, values that pydicom can't parse as plain strings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {name: as_json(dataset) for name, dataset in real_files()}


def as_json(dataset: Dataset, bulk_data: BulkHandler = lambda bulk: f"bulk/{int(bulk.tag):08X}") -> DataSet:
    """``bulk_data`` takes a binary element of more than 256 bytes and gives the BulkDataURI for it."""
    return {f"{int(tag):08X}": _element(dataset, tag, bulk_data) for tag in sorted(dataset.keys()) if tag.element != 0}


def _element(dataset: Dataset, tag: Any, bulk_data: BulkHandler) -> dict[str, Any]:
    raw = dataset.get_item(tag)
    try:
        element = dataset[tag]
        if element.VR == "SQ":
            items = [as_json(item, bulk_data) for item in element.value]
            return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}
        found = dict(element.to_json_dict(bulk_data, 256))
        return found | {"Value": [value or None for value in found["Value"]]} if "" in found.get("Value", ()) else found
    except (ValueError, TypeError, OverflowError):
        assert isinstance(raw, RawDataElement)
        text = (raw.value or b"").decode("latin-1").rstrip(" \0")
        return {"vr": raw.VR or dictionary_VR(tag), "Value": text.split("\\")}
