"""Data sets as XML, the Native DICOM Model (PS3.19 A.1), from and to the DICOM JSON model: application/dicom+xml."""

import math
import re
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, Final, TypeAlias
from xml.etree.ElementTree import Element, ParseError  # the parser is defusedxml's  # nosec B405

from defusedxml.ElementTree import iterparse

from shared.dicom.explicit_vr import BINARY, VRS
from shared.dicom.limits import DEFAULT_LIMITS, MIB
from shared.dicom.model import DataSet
from shared.dicom.private_blocks import PrivateBlocks, is_private
from shared.dicom.standard import keyword_for_tag
from shared.errors import BadRequest

NAMESPACE: Final = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
MAX_XML_BYTES: Final = 32 * MIB
MAX_XML_DEPTH: Final = 2 * DEFAULT_LIMITS.depth + 5
"""A sequence nests two elements; the root, an attribute, a name, a group and a component are the rest."""
MAX_XML_ATTRIBUTES: Final = 8

_JsonElement: TypeAlias = dict[str, Any]

_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
_COMPONENTS: Final = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")

_HEAD: Final = f'<?xml version="1.0" encoding="UTF-8"?>\n<NativeDicomModel xmlns="{NAMESPACE}" xml:space="preserve">'
_TAIL: Final = "</NativeDicomModel>"

_ILLEGAL: Final = "[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
_SPECIAL: Final = re.compile(f'[&<>"\t\n\r]|{_ILLEGAL}')
_ESCAPES: Final = {char: f"&#{ord(char)};" for char in '&<>"\t\n\r'}

_TAG: Final = re.compile(r"[0-9A-F]{8}").fullmatch
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}").fullmatch
_LONG: Final = re.compile(r"[+-]?[0-9]{1,20}").fullmatch
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?").fullmatch
_OVERLONG_TAG: Final = re.compile(rb"<[^<>]{65536}")


def to_xml(dataset: DataSet, bulk_uri: Callable[[str], str] | None = None) -> bytes:
    """The XML document of a data set; ``bulk_uri`` makes the URI to show of each BulkDataURI reference.

    Characters that XML 1.0 can't hold (control characters but TAB, LF and CR) become U+FFFD.
    """
    return "".join((_HEAD, *_attributes(dataset, bulk_uri or str), _TAIL)).encode()


def from_xml(data: bytes) -> DataSet:
    """The data set of an XML document. Entities and document types are refused, size and depth are bounded.

    Private attributes are put into the block that their creator reserves in the same data set or item, or else
    into a new one (PS3.5 7.8.1). Group lengths are left out. Raises BadRequest.
    """
    root = _parse(data)
    if _name(root) != "NativeDicomModel":
        raise BadRequest("The XML document is not a NativeDicomModel.")
    return _dataset(root)


def _attributes(dataset: DataSet, bulk_uri: Callable[[str], str]) -> Iterator[str]:
    blocks = PrivateBlocks(dataset)
    for tag, element in dataset.items():
        vr = element["vr"]
        shown, creator = blocks.shown(tag)
        keyword = keyword_for_tag(int(tag, 16))
        yield f'<DicomAttribute tag="{shown}" vr="{vr}"'
        if keyword:
            yield f' keyword="{keyword}"'
        if creator:
            yield f' privateCreator="{_escaped(creator)}"'
        yield ">"
        if "BulkDataURI" in element:
            yield f'<BulkData uri="{_escaped(bulk_uri(element["BulkDataURI"]))}"/>'
        elif "InlineBinary" in element:
            yield f"<InlineBinary>{element['InlineBinary']}</InlineBinary>"
        else:
            yield from _values(vr, element.get("Value", []), bulk_uri)
        yield "</DicomAttribute>"


def _values(vr: str, values: list[Any], bulk_uri: Callable[[str], str]) -> Iterator[str]:
    for number, value in enumerate(values, 1):
        if vr == "SQ":
            yield f'<Item number="{number}">'
            yield from _attributes(value or {}, bulk_uri)
            yield "</Item>"
        elif vr == "PN":
            yield f'<PersonName number="{number}">{_person_name(value or {})}</PersonName>'
        else:
            yield f'<Value number="{number}">{_text(value)}</Value>'


def _person_name(value: dict[str, str]) -> str:
    parts: list[str] = []
    for group in _GROUPS:
        if value.get(group):
            components = zip(_COMPONENTS, value[group].split("^", 4), strict=False)
            named = (f"<{name}>{_escaped(text)}</{name}>" for name, text in components if text)
            parts.append(f"<{group}>{''.join(named)}</{group}>")
    return "".join(parts)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return _escaped(value) if isinstance(value, str) else repr(value)


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda match: _ESCAPES.get(match[0], "\N{REPLACEMENT CHARACTER}"), text)


def _parse(data: bytes) -> Element:
    if len(data) > MAX_XML_BYTES or _OVERLONG_TAG.search(data):
        raise BadRequest("The XML document is too large.")
    size = depth = 0
    try:
        for event, element in iterparse(BytesIO(data), events=("start", "end"), forbid_dtd=True):
            depth += 1 if event == "start" else -1
            size += event == "start"
            if size > DEFAULT_LIMITS.elements or depth > MAX_XML_DEPTH or len(element.attrib) > MAX_XML_ATTRIBUTES:
                raise BadRequest("The XML document has too many elements, nested elements or attributes.")
    except (ParseError, ValueError, LookupError) as error:
        raise BadRequest("The XML document is not well formed, or it has a document type.") from error
    root: Element = element
    return root


def _dataset(parent: Element) -> DataSet:
    elements: DataSet = {}
    private: list[tuple[str, str, _JsonElement]] = []
    for child in parent:
        tag = child.get("tag", "").upper()
        if _name(child) != "DicomAttribute" or not _TAG(tag):
            raise BadRequest("An element of the XML document is no DicomAttribute with a tag of 8 hexadecimal digits.")
        element, creator = _element(tag, child), child.get("privateCreator")
        if creator and is_private(tag):
            private.append((tag, creator, element))
        elif tag[4:] != "0000":
            _put(elements, tag, element)
    blocks = PrivateBlocks(elements)
    for tag, creator, element in private:
        _put(elements, blocks.place(tag, creator), element)
    return dict(sorted((elements | blocks.reserved).items()))


def _put(elements: DataSet, tag: str, element: _JsonElement) -> None:
    if tag in elements:
        raise _unusable(tag, "stands twice in one data set")
    elements[tag] = element


def _element(tag: str, attribute: Element) -> _JsonElement:
    vr = attribute.get("vr", "")
    if vr not in VRS:
        raise _unusable(tag, "has no known VR")
    kinds = {_name(child) for child in attribute}
    if not kinds:
        return {"vr": vr}
    kind = kinds.pop()
    if kinds or kind not in _kinds(vr):
        raise _unusable(tag, "holds something else than its VR calls for")
    if kind == "BulkData":
        return {"vr": vr, "BulkDataURI": _bulk_data_uri(tag, attribute[0])}
    if kind == "InlineBinary":
        return {"vr": vr, "InlineBinary": "".join((attribute[0].text or "").split())}
    for number, child in enumerate(attribute, 1):
        if child.get("number") != str(number):
            raise _unusable(tag, "has values that are not numbered from 1 without a gap")
    values = [_value(tag, vr, child) for child in attribute]
    return {"vr": vr} if values == [None] else {"vr": vr, "Value": values}


def _kinds(vr: str) -> tuple[str, ...]:
    if vr in BINARY:
        return ("InlineBinary", "BulkData")
    return ({"SQ": "Item", "PN": "PersonName"}.get(vr, "Value"), "BulkData")


def _bulk_data_uri(tag: str, bulk_data: Element) -> str:
    uri = bulk_data.get("uri")
    if not uri:
        raise _unusable(tag, "has bulk data without a URI")
    return uri


def _value(tag: str, vr: str, child: Element) -> Any:
    if vr == "SQ":
        return _dataset(child)
    if vr == "PN":
        return _json_name(tag, child)
    text = child.text
    if len(child):
        raise _unusable(tag, "has a value with elements in it")
    if not text:
        return None
    try:
        return _READERS.get(vr, str)(text)
    except ValueError as error:
        raise _unusable(tag, "has a value that is no number") from error


def _json_name(tag: str, person_name: Element) -> dict[str, str] | None:
    groups: dict[str, str] = {}
    for group in person_name:
        components = dict.fromkeys(_COMPONENTS, "")
        components |= {_name(component): component.text or "" for component in group}
        if _name(group) not in _GROUPS or len(components) > len(_COMPONENTS):
            raise _unusable(tag, "has a person name with unknown parts")
        groups[_name(group)] = "^".join(components.values()).rstrip("^")
    return {group: groups[group] for group in _GROUPS if groups.get(group)} or None


def _integer(text: str) -> int:
    if not _LONG(text.strip()):
        raise ValueError
    return int(text)


def _float(text: str) -> float | str:
    """Infinities and NaN stay strings, since JSON has no number for them."""
    value = float(text)
    return value if math.isfinite(value) else text.strip()


def _number_string(text: str) -> int | float | str:
    """A number where the text of an IS or DS is one of at most 64 bits, else the text (PS3.18 F.2.3)."""
    spelled = text.strip()
    if _INTEGER(spelled):
        return int(spelled)
    if _DECIMAL(spelled) and math.isfinite(float(spelled)):
        return float(spelled)
    return text


_READERS: Final[dict[str, Callable[[str], Any]]] = {
    **dict.fromkeys(("SL", "SS", "SV", "UL", "US", "UV"), _integer),
    **dict.fromkeys(("FD", "FL"), _float),
    **dict.fromkeys(("DS", "IS"), _number_string),
}


def _name(element: Element) -> str:
    """The name without its namespace, which some senders leave out; that of another namespace stays."""
    return str(element.tag).removeprefix(f"{{{NAMESPACE}}}")


def _unusable(tag: str, problem: str) -> BadRequest:
    return BadRequest(f"In the XML document, attribute ({tag[:4]},{tag[4:]}) {problem}.")
