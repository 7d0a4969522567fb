"""Extended query tags: which attributes can be one, and what a data set gives to them.

===============  =====================  ======================================================
Attribute        VR                     Private creator
===============  =====================  ======================================================
standard         that of the standard   none
private          has to be given        has to be given; finds the block, whatever the path says
private creator  LO                     none
===============  =====================  ======================================================
"""

import re
from base64 import b64decode
from collections.abc import Sequence
from typing import Any

from shared.dicom.attributes import Attribute
from shared.dicom.charsets import charset_of
from shared.dicom.conditions import MatchValue
from shared.dicom.matching import PADDING, fold
from shared.dicom.model import DataSet, Level
from shared.dicom.private_blocks import is_private
from shared.dicom.standard import dictionary_vr
from shared.dicom.values import decoders
from shared.dicom.vr_rules import MINIMUM_RULES
from shared.errors import BadRequest

SUPPORTED_VRS = "AE AS CS DA DS DT FD FL IS LO PN SH SL SS TM UI UL US"
ALWAYS_SEARCHABLE = frozenset(
    (
        "0020000D",  # StudyInstanceUID
        "00100010",  # PatientName
        "00100020",  # PatientID
        "00100030",  # PatientBirthDate
        "00080050",  # AccessionNumber
        "00080090",  # ReferringPhysicianName
        "00080020",  # StudyDate
        "00081030",  # StudyDescription
        "00080061",  # ModalitiesInStudy
        "0020000E",  # SeriesInstanceUID
        "00080060",  # Modality
        "00400244",  # PerformedProcedureStepStartDate
        "00081090",  # ManufacturerModelName
        "00080018",  # SOPInstanceUID
    )
)
"""Attributes that clients know to be searchable, so that none of them is an extended query tag. Further ones that are
searchable here can be: clients add them where they have to, and don't expect to be refused."""

NO_SEQUENCES = "Sequential dicom tags are currently not supported."
MULTIPLE_VALUES = "Value contains multiple values."
TOO_LARGE = "Value is too large to be indexed."

_FIRST_GROUP = 0x0008
_CHARACTER_SET = "00080005"
_CREATORS = tuple(f"00{block:02X}" for block in range(0x10, 0x100))


class InvalidTagValue(Exception):
    """A value that can't be indexed. ``message`` says why and does not repeat it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def queryable(path: str, vr: str | None, level: Level, private_creator: str | None) -> Attribute:
    """The searchable attribute that an extended query tag makes; ``path`` is 8 hexadecimal digits in capitals.

    Raises BadRequest with the rule that it breaks.
    """
    if path in ALWAYS_SEARCHABLE:
        raise BadRequest(f"The query tag '{path}' is already supported.")
    if int(path[:4], 16) < _FIRST_GROUP or path[:4] == "FFFF":
        raise BadRequest(f"The tag '{path}' is not one of a data set.")
    if is_private(path) and path[4:] not in _CREATORS:
        _require_private(path, vr, private_creator)
    else:
        if private_creator is not None:
            raise BadRequest(f"The tag '{path}' is not a private attribute: it takes no private creator.")
        vr = _standard_vr(path, vr)
    if vr not in SUPPORTED_VRS.split():
        raise BadRequest(f"The VR of the tag '{path}' is not supported. Those that are: {SUPPORTED_VRS}.")
    return Attribute(path, path, vr, level, private_creator)


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


def creator_place(place: str) -> str:
    """The tag of the private creator element that reserves the block in which a private attribute stands."""
    return f"{place[:4]}00{place[4:6]}"


def unexpected_vr(expected: str) -> str:
    """What is wrong with an element of another VR than the one that is indexed."""
    return f"The VR is not the expected {expected}."


def _require_private(path: str, vr: str | None, private_creator: str | None) -> None:
    if path[4:] < "1000":
        raise BadRequest(f"The tag '{path}' can't be that of a private attribute.")
    if vr is None:
        raise BadRequest(f"The VR of the private tag '{path}' must be specified.")
    if vr == "SQ":
        raise BadRequest(NO_SEQUENCES)
    if private_creator is None:
        raise BadRequest(f"The private creator of the private tag '{path}' must be specified.")
    if not MINIMUM_RULES["LO"].accepts([private_creator]):
        raise BadRequest(f"The private creator of the tag '{path}' is not a valid LO value.")


def _standard_vr(path: str, vr: str | None) -> str:
    """The VR of the dictionary; where it leaves a choice, such as of US and SS, the given one or the first."""
    choice = _dictionary_vrs(path)
    if "SQ" in choice:
        raise BadRequest(NO_SEQUENCES)
    if vr is None or vr in choice:
        return vr or choice[0]
    raise BadRequest(
        f"The VR of the tag '{path}' is incorrectly specified. The expected one is '{' or '.join(choice)}'. "
        "Retry this request either with the correct VR or without specifying it."
    )


def _dictionary_vrs(path: str) -> list[str]:
    if is_private(path):
        return ["LO"]
    try:
        return re.split(" or ", dictionary_vr(int(path, 16)))
    except KeyError:
        raise BadRequest(f"The tag '{path}' is not in the data dictionary.") from None


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
    return known[vr.encode("ascii")][b64decode(binary)]
