"""The extended query tags that all these tests share, and instances with and without good values for them."""

from typing import Any

from tests.api.files import by_hand
from tests.api.query_tags.tagging import Entry, entry, private, private_path, with_private
from tests.dicom.building import explicit
from tests.instances import Identity

SEX = "00100040"
FILMS = "21000170"
AGE = "00101010"
STAGE = "00082122"
IMAGES = "00201002"
WEIGHT = "00101030"
KVP = "00180060"
STATION = "00081010"
ACQUISITION = "00200012"
SERIES_NUMBER = "00200011"
REMOVED = private_path(0x30)
"""Removed by the test of that."""

OLD, NEW = "old", "new"
VALUES: dict[str, tuple[Any, Any]] = {
    "AE": ("ROOM_1", "ROOM_2"),
    "AS": ("053Y", "054Y"),
    "CS": ("HEAD", "NECK"),
    "DA": ("20240229", "20240310"),
    "DS": ("1.50", "-2E1"),
    "DT": ("20240229120000.5", "202403"),
    "FD": (0.25, -3.5e300),
    "FL": (0.1, 16777216.0),
    "IS": ("0012", "-7"),
    "LO": ("Left Knee", "right knee"),
    "PN": ("Doe^Jane", "Doerr^Jörg"),
    "SH": ("a?b", "acb"),
    "SL": (-70000, 70000),
    "SS": (-5, 5),
    "TM": ("101530", "2359"),
    "UI": ("1.2.3.4", "1.2.5"),
    "UL": (4294967295, 1),
    "US": (65535, 1),
}
"""Of private attributes of every VR: what the old and the new instance have."""
ELEMENTS = {vr: number for number, vr in enumerate(VALUES, start=1)}
PATHS = {vr: private_path(number) for vr, number in ELEMENTS.items()}

ENTRIES: list[Entry] = [
    entry(SEX, "Study", vr="CS"),
    entry(FILMS, "Study", vr="IS"),
    entry("PatientAge"),
    entry(STAGE),
    entry(IMAGES),
    entry(WEIGHT, "Study"),
    entry(KVP, "Study"),
    entry("StationName", "Series"),
    entry(ACQUISITION),
    entry(SERIES_NUMBER, "Study"),
    *(private(number, vr) for vr, number in ELEMENTS.items()),
    private(0x30, "SH", "Series"),
]
ALL = (SEX, FILMS, AGE, STAGE, IMAGES, WEIGHT, KVP, STATION, ACQUISITION, SERIES_NUMBER, *PATHS.values(), REMOVED)


def various(identity: Identity, which: int, **how: Any) -> bytes:
    """The old (0) or the new (1) instance that has a value of every VR."""
    values = {number: (vr, VALUES[vr][which]) for vr, number in ELEMENTS.items()} | {0x30: ("SH", "12")}
    attributes = {
        "PatientWeight": (70, 80)[which],
        "KVP": (100, 120)[which],
        "StationName": ("CT 1", "CT 2")[which],
        "AcquisitionNumber": (1, 2)[which],
        "SeriesNumber": (31, 32)[which],
    }
    return with_private(identity, values, SpecificCharacterSet="ISO_IR 192", **attributes, **how)


def aged(identity: Identity, age: bytes) -> bytes:
    return by_hand(identity, explicit(int(AGE, 16), "AS", age))


def staged(identity: Identity, number: bytes) -> bytes:
    return by_hand(identity, explicit(int(STAGE, 16), "IS", number))


def counted(identity: Identity, images: bytes) -> bytes:
    return by_hand(identity, explicit(int(IMAGES, 16), "IS", images))
