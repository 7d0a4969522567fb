"""What requests for extended query tags say, read into plain values once.

Names of properties and of what has a few values only are taken in any letter case, comments and trailing commas passed
over.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from shared.dicom.attributes import Attribute
from shared.dicom.model import Level
from shared.dicom.query_tags import NO_SEQUENCES, queryable
from shared.dicomweb import lenient_json
from shared.dicomweb.query import attribute_path
from shared.dicomweb.refusals import repeated
from shared.errors import BadRequest

T = TypeVar("T")

MAX_BODY = 1024 * 1024
"""Bytes of a request."""

LEVELS = {"Instance": Level.INSTANCE, "Series": Level.SERIES, "Study": Level.STUDY}
QUERY_STATUSES = {"Disabled": False, "Enabled": True}
_SYNTAX = "The syntax of the request body is invalid."


def parse_tags(body: bytes) -> tuple[Attribute, ...]:
    """The attributes that are to become extended query tags. Raises BadRequest for a body that breaks a rule."""
    entries = _json(body)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadRequest(_SYNTAX)
    if not entries:
        raise BadRequest("The request body must name one extended query tag or more.")
    attributes: dict[str, Attribute] = {}
    for number, entry in enumerate(entries):
        attribute = _attribute(number, {name.lower(): value for name, value in entry.items()})
        if attribute.path in attributes:
            raise BadRequest(f"The extended query tag '{attribute.path}' has been specified before.")
        attributes[attribute.path] = attribute
    return tuple(attributes.values())


def parse_query_status(body: bytes) -> bool:
    """Whether searches shall use the tag. Raises BadRequest for a body that breaks a rule."""
    change = _json(body)
    if not isinstance(change, dict):
        raise BadRequest(_SYNTAX)
    for name in change:
        if name.lower() != "querystatus":
            raise BadRequest(f"The field{repeated(name)} in request body is invalid: Only QueryStatus can be changed.")
    return _one_of(QUERY_STATUSES, next(iter(change.values()), ""), "$.QueryStatus")


def tag_path(text: str) -> str:
    """The 8 hexadecimal digits of a tag in the path of a URL, which may be a keyword. Raises BadRequest."""
    path = attribute_path(text.strip())
    if path is None:
        raise BadRequest(f"The tag path{repeated(text)} is neither 8 hexadecimal digits nor a keyword of an attribute.")
    if "." in path:
        raise BadRequest(NO_SEQUENCES)
    return path


def _attribute(number: int, entry: Mapping[str, Any]) -> Attribute:
    path = _text(number, entry, "Path")
    level = _text(number, entry, "Level")
    vr = _text(number, entry, "VR", required=False)
    return queryable(
        tag_path(path or ""),
        vr and vr.upper(),
        _one_of(LEVELS, level, f"$[{number}].Level"),
        _text(number, entry, "PrivateCreator", required=False),
    )


def _text(number: int, entry: Mapping[str, Any], name: str, *, required: bool = True) -> str | None:
    """The text of a property without the spaces around it, None if there is none and none is required."""
    value = entry.get(name.lower())
    if value is None or (isinstance(value, str) and not value.strip()):
        if not required:
            return None
        raise _invalid(
            f"[{number}].{name}",
            f"The Dicom Tag Property {name} must be specified and must not be null, empty or whitespace.",
        )
    if not isinstance(value, str):
        raise _invalid(f"[{number}].{name}", "It takes a string.")
    return value.strip()


def _one_of(names: Mapping[str, T], value: object, field: str) -> T:
    text = str(value).lower()
    for name, meant in names.items():
        if name.lower() == text:
            return meant
    expected = ", ".join(f"'{name}'" for name in names)
    raise _invalid(field, f"Expected value{repeated(value)} to be one of the following values: [{expected}]")


def _invalid(field: str, why: str) -> BadRequest:
    return BadRequest(f"The field '{field}' in request body is invalid: {why}")


def _json(body: bytes) -> Any:
    try:
        return lenient_json.loads(body)
    except ValueError:
        raise BadRequest(_SYNTAX) from None
