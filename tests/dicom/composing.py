"""The least that a file is composed of, and what comes out."""

from io import BytesIO

from pydicom import FileDataset, dcmread

from shared.dicom.compose import BulkSource, compose
from shared.dicom.model import DataSet

OCTETS = "application/octet-stream"
EXPLICIT = "1.2.840.10008.1.2.1"
JPEG_2000 = "1.2.840.10008.1.2.4.90"

BASE: DataSet = {
    "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.7"]},
    "00080018": {"vr": "UI", "Value": ["1.2.3"]},
    "0020000D": {"vr": "UI", "Value": ["1.2.3.4"]},
    "0020000E": {"vr": "UI", "Value": ["1.2.3.4.5"]},
}


def read(dataset: DataSet, bulk: dict[str, list[BulkSource]] | None = None) -> FileDataset:
    """The file composed of ``BASE`` and more, as pydicom reads it."""
    return dcmread(BytesIO(b"".join(compose(BASE | dataset, bulk or {}))))
