"""Extended query tags: attributes that are searchable beyond the standard's, and what a data set gives to them."""

from base64 import b64decode
from collections.abc import Sequence
from typing import Any

from shared.dicom.charsets import charset_of
from shared.dicom.conditions import MatchValue
from shared.dicom.matching import PADDING, fold
from shared.dicom.model import DataSet
from shared.dicom.values import decoders
from shared.dicom.vr_rules import MINIMUM_RULES

SUPPORTED_VRS = frozenset(
    ("AE", "AS", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "PN", "SH", "SL", "SS", "TM", "UI", "UL", "US")
)

MULTIPLE_VALUES = "Value contains multiple values."
TOO_LARGE = "Value is too large to be indexed."

_CHARACTER_SET = "00080005"
_CREATORS = tuple(f"00{block:02X}" for block in range(0x10, 0x100))


class InvalidTagValue(Exception):
    """A value that can't be indexed. ``message`` says why and does not repeat it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def value_of(
    dataset: DataSet, path: str, vr: str, private_creator: str | None, *, only_one: bool = False
) -> MatchValue | None:
    """The folded value that a data set gives to an extended query tag; None if it has none or an empty one.

    ``path`` is 8 hexadecimal digits; the block that a private one names does not count. Of several values the first
    counts, unless ``only_one`` forbids them. Raises InvalidTagValue.
    """
    place = place_of(dataset, path, private_creator)
    if place is None:
        return None
    values = _values(dataset, place, vr)
    if only_one and len(values) > 1:
        raise InvalidTagValue(MULTIPLE_VALUES)
    first = values[0] if values else None
    if first in (None, "", {}):
        return None
    rule = MINIMUM_RULES[vr]
    if not rule.accepts([first]):
        raise InvalidTagValue(rule.complain([first]))
    return fold(vr, first)


def place_of(dataset: DataSet, path: str, private_creator: str | None) -> str | None:
    """The tag that an attribute has in a data set, None if it is not there.

    That of a private one is in a block that its creator reserves, whichever that is (PS3.5 7.8.1).
    """
    if private_creator is None:
        return path if path in dataset else None
    group, element = path[:4], path[6:]
    for creator in _CREATORS:
        if group + creator in dataset and _reserves(dataset[group + creator], private_creator):
            place = group + creator[2:] + element
            if place in dataset:
                return place
    return None


def unexpected_vr(expected: str) -> str:
    """What is wrong with an element of another VR than the one that is indexed."""
    return f"The VR is not the expected {expected}."


def _reserves(element: dict[str, Any], private_creator: str) -> bool:
    creators = element.get("Value") or [None]
    return isinstance(creators[0], str) and creators[0].strip(PADDING) == private_creator


def _values(dataset: DataSet, place: str, vr: str) -> Sequence[Any]:
    element = dataset[place]
    if element.keys() == {"vr"}:
        return ()
    if "BulkDataURI" in element:
        raise InvalidTagValue(TOO_LARGE)
    if element["vr"] == "UN":
        element = _known(dataset, element["InlineBinary"], vr)
    if element["vr"] != vr:
        raise InvalidTagValue(unexpected_vr(vr))
    values: Sequence[Any] = element.get("Value", ())
    return values


def _known(dataset: DataSet, binary: str, vr: str) -> dict[str, Any]:
    """What a reader that did not know the VR left as bytes: private attributes in Implicit VR (PS3.5 6.2.2)."""
    terms = dataset.get(_CHARACTER_SET, {}).get("Value") or [""]
    known = decoders(True, charset_of(str(terms[0] or ""))).short
    return known[vr.encode("ascii")](b64decode(binary))
