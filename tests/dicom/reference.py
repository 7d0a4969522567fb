"""pydicom's reading of a data set, put as the scanner puts it: the oracle that scans are held against.

It starts from pydicom's elements, not from ``to_json_dict``, which refuses some files. Where the two differ on
purpose, this is the place that says so:

* group lengths and delimiters left over from broken sequences are no attributes (PS3.18 F.2.2);
* strings lose the padding that PS3.5 6.2 calls not significant, each value by itself, and nulls;
* an empty string among several is null, no value at all where there is only one (PS3.18 F.2.5);
* empty component groups of a name are left out (PS3.18 F.2.2);
* numbers whose bytes don't come out even are UN, where pydicom may leave the VR or refuse;
* IS and DS that are no numbers stay strings, as PS3.18 F.2.3 allows;
* a choice of OB and OW that pydicom leaves open is OW, as in Implicit VR Little Endian (PS3.5 A.1);
* the number of entries of a lookup table is what the file has, not brought into the range of US.
"""

import logging
import re
import warnings
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from struct import pack
from typing import Any

import pydicom
import pydicom.config
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset
from pydicom.encaps import generate_fragments
from pydicom.errors import BytesLengthException

INLINE = 1024
PIXEL_DATA = {0x7FE00008, 0x7FE00009, 0x7FE00010}
BINARY = {"OB", "OD", "OF", "OL", "OV", "OW", "UN", "OB or OW", "US or OW", "US or SS or OW"}
WORD = {"OD": 8, "OF": 4, "OL": 4, "OV": 8, "OW": 2}
STRIP_BOTH = {"AE", "CS", "LO", "SH"}
SINGLE_TEXT = {"LT", "ST", "UR", "UT"}
INTEGER = re.compile(r"(?=.{1,18}\Z)[+-]?[0-9]+")
DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
LUT_DESCRIPTORS = {0x00281101, 0x00281102, 0x00281103, 0x00283002}


@contextmanager
def lenient_pydicom() -> Iterator[None]:
    """pydicom without complaints, numbers of odd length read as UN."""
    before = pydicom.config.convert_wrong_length_to_UN, pydicom.config.settings.reading_validation_mode
    logging.getLogger("pydicom").disabled = True
    pydicom.config.convert_wrong_length_to_UN = True
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.getLogger("pydicom").disabled = False
        pydicom.config.convert_wrong_length_to_UN, pydicom.config.settings.reading_validation_mode = before


def read(data: bytes) -> FileDataset:
    with lenient_pydicom():
        return pydicom.dcmread(BytesIO(data))


@dataclass
class Reference:
    """A data set in the JSON model, and the bytes that its BulkDataURIs stand for."""

    dataset: dict[str, Any]
    bulk: dict[str, bytes] = field(default_factory=dict)


def reference(dataset: Dataset, little_endian: bool = True) -> Reference:
    with lenient_pydicom():
        bulk: dict[str, bytes] = {}
        return Reference(_dataset(dataset, "", bulk, little_endian), bulk)


def _dataset(dataset: Dataset, path: str, bulk: dict[str, bytes], little_endian: bool) -> dict[str, Any]:
    result = {}
    for tag in sorted(dataset.keys()):
        if tag & 0xFFFF == 0 or tag >> 16 == 0xFFFE:
            continue
        result[f"{tag:08X}"] = _element(_read(dataset, tag), path, bulk, little_endian)
    return result


def _read(dataset: Dataset, tag: Any) -> DataElement:
    try:
        return dataset[tag]
    except BytesLengthException:
        return dataset.get_item(tag)


def _element(element: DataElement, path: str, bulk: dict[str, bytes], little_endian: bool) -> dict[str, Any]:
    vr = str(element.VR)
    name = f"{element.tag:08X}"
    if vr == "SQ":
        items = [
            _dataset(item, f"{path}{name}/{index}/", bulk, little_endian) for index, item in enumerate(element.value)
        ]
        return {"vr": vr, "Value": items} if items else {"vr": vr}
    if vr in BINARY or isinstance(element.value, bytes):
        return _binary(element, vr, path + name, bulk, little_endian)
    values = element.value if element.VM > 1 else [] if element.is_empty else [element.value]
    values = [_value(vr, element.tag, value) for value in values]
    return {"vr": vr, "Value": values} if values not in ([], [None]) else {"vr": vr}


def _binary(
    element: DataElement, vr: str, reference: str, bulk: dict[str, bytes], little_endian: bool
) -> dict[str, Any]:
    if vr not in BINARY:
        vr = "UN"
    elif len(vr) > 2:
        vr = "OW"
    value = element.value or b""
    if element.is_undefined_length:
        fragments = list(generate_fragments(value))
        value = b"".join(fragments[1:] if element.tag in PIXEL_DATA else fragments)
    elif not value:
        return {"vr": vr}
    if element.tag in PIXEL_DATA or element.is_undefined_length or len(value) > INLINE:
        bulk[reference] = value
        return {"vr": vr, "BulkDataURI": reference}
    size = WORD.get(vr, 1)
    if not little_endian and len(value) % size == 0:
        value = b"".join(value[at : at + size][::-1] for at in range(0, len(value), size))
    return {"vr": vr, "InlineBinary": b64encode(value).decode("ascii")}


def _value(vr: str, tag: int, value: Any) -> Any:
    match vr:
        case "PN":
            groups = zip(("Alphabetic", "Ideographic", "Phonetic"), str(value).split("=", 2), strict=False)
            return {key: group.rstrip(" \0") for key, group in groups if group.rstrip(" \0")} or None
        case "AT":
            return f"{value:08X}"
        case "DS" | "IS":
            return _number(vr, str(getattr(value, "original_string", value)).strip(" \0"))
        case "FD" | "FL":
            return value
        case "SS" if tag in LUT_DESCRIPTORS and value > 0x7FFF:
            return value - 0x10000
        case _ if isinstance(value, int):
            return int(value)
        case _:
            text = str(value).rstrip(" \0")
            return (text.lstrip(" ") if vr in STRIP_BOTH else text) or None


def _number(vr: str, text: str) -> Any:
    if INTEGER.fullmatch(text):
        return int(text)
    if vr == "DS" and DECIMAL.fullmatch(text) and abs(float(text)) < float("inf"):
        return float(text)
    return text or None


def differences(ours: Any, theirs: Any, at: str = "") -> list[str]:
    """Where two data sets differ, by path; FL counts as the same if it is in single precision."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        found = [f"{at}: keys {list(ours)} and {list(theirs)}"] if list(ours) != list(theirs) else []
        for key in ours.keys() & theirs.keys():
            found += differences(ours[key], theirs[key], f"{at}/{key}")
        return found
    if isinstance(ours, list) and isinstance(theirs, list):
        found = [f"{at}: {len(ours)} and {len(theirs)} values"] if len(ours) != len(theirs) else []
        for index, (one, other) in enumerate(zip(ours, theirs, strict=False)):
            found += differences(one, other, f"{at}/{index}")
        return found
    if ours == theirs or _same_float(ours, theirs):
        return []
    return [f"{at}: {ours!r} and {theirs!r}"]


def _same_float(one: Any, other: Any) -> bool:
    names = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
    one, other = (names.get(number, number) if isinstance(number, str) else number for number in (one, other))
    if not isinstance(one, float) or not isinstance(other, float):
        return False
    return pack("<f", one) == pack("<f", other) or (one != one and other != other)
