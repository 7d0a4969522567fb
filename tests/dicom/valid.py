"""A valid data set, and others made of it."""

import copy
from typing import Any

from shared.dicom.model import DataSet

VALID: DataSet = {
    "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.7"]},
    "00080018": {"vr": "UI", "Value": ["1.2.3.4"]},
    "00080020": {"vr": "DA", "Value": ["20240229"]},
    "00080060": {"vr": "CS", "Value": ["CT"]},
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane"}]},
    "00100020": {"vr": "LO", "Value": ["42"]},
    "0020000D": {"vr": "UI", "Value": ["1.2.3"]},
    "0020000E": {"vr": "UI", "Value": ["1.2.3"]},
    "00200013": {"vr": "IS", "Value": [1]},
    "7FE00010": {"vr": "OW", "BulkDataURI": "7FE00010"},
}


def edited(*removed: str, **elements: Any) -> DataSet:
    """VALID without the removed tags and with the elements given as ``t00080020={...}``."""
    dataset = copy.deepcopy(VALID) | {tag[1:]: element for tag, element in elements.items()}
    return dict(sorted((tag, element) for tag, element in dataset.items() if tag not in removed))


def sequence(*items: DataSet) -> dict[str, Any]:
    """A sequence of these items."""
    return {"vr": "SQ", "Value": list(items)}
