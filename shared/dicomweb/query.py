"""The query string of a search, read into plain values (QIDO-RS, PS3.18 8.3.4 and 10.6.1)."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from pydicom.datadict import keyword_for_tag, tag_for_keyword

from shared.dicom.attributes import BY_PATH, LEVEL_TAGS, LEVEL_UID, Attribute
from shared.dicom.conditions import Condition, Order
from shared.dicom.model import Level
from shared.dicomweb.query_values import condition
from shared.errors import BadRequest

DEFAULT_LIMIT = 100
MAX_LIMIT = 200
MAX_OFFSET = 2**31 - 1
MAX_QUERY = 64 * 1024
"""Characters of a query string."""
MAX_PARAMETERS = 500

_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{8}").fullmatch
_NUMBER = re.compile(r"[+-]?[0-9]{1,10}").fullmatch
_BOOLEANS = {"true": True, "false": False}
_CONTROLS = frozenset({"limit", "offset", "includefield", "fuzzymatching", "orderby", "accept"})
_REPEATABLE = frozenset({"includefield", "orderby"})
_PLURALS = {Level.STUDY: "studies", Level.SERIES: "series", Level.INSTANCE: "instances"}


@dataclass(frozen=True, slots=True)
class Query:
    """One search as asked for.

    ``filters`` are the paths of the attributes it names, whether or not they restrict anything; ``include``
    the tags of includefield and ``include_all`` whether that was ``all``; ``warnings`` what was asked for
    and not done, as sentences for ``Warning: 299``.
    """

    conditions: tuple[Condition, ...] = ()
    order: tuple[Order, ...] = ()
    limit: int = DEFAULT_LIMIT
    offset: int = 0
    filters: tuple[str, ...] = ()
    include: frozenset[str] = frozenset()
    include_all: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class _Parameters:
    """The pairs of a query string: controls by name in lower case, attributes by path."""

    controls: dict[str, list[str]] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)

    def single(self, name: str) -> str | None:
        values = self.controls.get(name)
        return values[0] if values else None


def check_query(raw: str) -> None:
    """Raises BadRequest for a query string, as it was sent, that no resource takes."""
    if "<" in raw or "%3c" in raw.lower():
        raise BadRequest("The query string included invalid characters.")
    if len(raw) > MAX_QUERY:
        raise BadRequest(f"The query string is longer than {MAX_QUERY} characters.")


def parse_query(
    raw: str, level: Level, named: Collection[Level] = (), attributes: Mapping[str, Attribute] = BY_PATH
) -> Query:
    """Read the query string, as it was sent, of a search for ``level``.

    ``named`` are the levels whose UIDs stand in the path, ``attributes`` what can be searched by. Raises
    BadRequest for what is unknown, repeated, not searchable or malformed.
    """
    parameters = _parameters(raw)
    searched = _Searched(level, frozenset(LEVEL_UID[each] for each in named), attributes)
    fuzzy = _boolean(parameters)
    asked = [(searched.attribute(path), text) for path, text in parameters.attributes.items()]
    conditions = (condition(attribute, text, fuzzy=fuzzy) for attribute, text in asked)
    warnings: list[str] = []
    included, include_all = _include(parameters, level, warnings)
    return Query(
        conditions=tuple(each for each in conditions if each is not None),
        order=tuple(searched.order(parameters.controls.get("orderby", []))),
        limit=_limit(parameters, warnings),
        offset=_whole_number(parameters, "offset", 0, MAX_OFFSET) or 0,
        filters=tuple(attribute.path for attribute, _ in asked),
        include=included,
        include_all=include_all,
        warnings=tuple(warnings),
    )


@dataclass(frozen=True, slots=True)
class _Searched:
    """What one resource can be searched and sorted by."""

    level: Level
    in_path: frozenset[str]
    attributes: Mapping[str, Attribute]

    def attribute(self, path: str) -> Attribute:
        attribute = self.attributes.get(path)
        if attribute is None or attribute.level > self.level or path in self.in_path:
            raise BadRequest(
                f"AttributeId {_shown(path)} is not queryable. "
                "It can't be searched by at this resource, or stands in its path already."
            )
        return attribute

    def order(self, values: list[str]) -> Iterator[Order]:
        """``orderby=StudyDate,-PatientName`` or ``PatientName:desc``."""
        for text in ",".join(values).split(","):
            name, _, direction = text.strip().partition(":")
            if not name:
                continue
            if direction.lower() not in ("", "asc", "desc"):
                raise BadRequest("The query parameter 'orderby' is invalid. A direction is asc or desc.")
            path = attribute_path(name.lstrip("-"))
            yield Order(self.attribute(path).path, name.startswith("-") or direction.lower() == "desc")


def attribute_path(name: str) -> str:
    """The path of an attribute given by keywords or hexadecimal tags, ``SEQUENCE.MEMBER`` at the most.

    Raises BadRequest for a keyword that the dictionary does not know.
    """
    steps = name.split(".")
    if len(steps) > 2:
        raise BadRequest("An attribute within a sequence is named by one sequence and one member.")
    return ".".join(map(_tag, steps))


def _tag(name: str) -> str:
    if _HEXADECIMAL(name):
        return name.upper()
    number = tag_for_keyword(name)
    if number is None:
        raise BadRequest("The query names an unknown parameter: neither a DICOM keyword, nor a tag of 8 hex digits.")
    return f"{number:08X}"


def _shown(path: str) -> str:
    return ".".join(keyword_for_tag(int(tag, 16)) or tag for tag in path.split("."))


def _parameters(raw: str) -> _Parameters:
    check_query(raw)
    pairs = [pair for pair in raw.split("&") if pair.strip("=")]
    if len(pairs) > MAX_PARAMETERS:
        raise BadRequest(f"The query has more than {MAX_PARAMETERS} parameters.")
    found = _Parameters()
    for name, value in map(_decoded, pairs):
        control = name.lower()
        if control in _CONTROLS:
            found.controls.setdefault(control, []).append(value)
        else:
            path = attribute_path(name)
            if path in found.attributes:
                raise BadRequest(f"The query parameter '{_shown(path)}' is given more than once.")
            found.attributes[path] = value
    for control, values in found.controls.items():
        if len(values) > 1 and control not in _REPEATABLE:
            raise BadRequest(f"The query parameter '{control}' is given more than once.")
    return found


def _decoded(pair: str) -> tuple[str, str]:
    name, _, value = pair.partition("=")
    try:
        return unquote_plus(name, errors="strict").strip(), unquote_plus(value, errors="strict")
    except UnicodeDecodeError:
        raise BadRequest("The query string is not percent-encoded UTF-8.") from None


def _limit(parameters: _Parameters, warnings: list[str]) -> int:
    limit = _whole_number(parameters, "limit", 1, MAX_LIMIT)
    if limit is None:
        return DEFAULT_LIMIT
    if limit > MAX_LIMIT:
        warnings.append(f"The limit was reduced to {MAX_LIMIT}. Use offset to get further results.")
    return min(limit, MAX_LIMIT)


def _whole_number(parameters: _Parameters, name: str, least: int, most: int) -> int | None:
    text = parameters.single(name)
    if text is None:
        return None
    if not _NUMBER(text.strip()) or int(text) < least:
        raise BadRequest(
            f"The query parameter '{name.capitalize()}' is invalid. "
            f"The field {name.capitalize()} must be between {least} and {most}."
        )
    return int(text)


def _boolean(parameters: _Parameters) -> bool:
    text = parameters.single("fuzzymatching")
    if text is None:
        return False
    if text.strip().lower() not in _BOOLEANS:
        raise BadRequest("The query parameter 'FuzzyMatching' is invalid. It is either true or false.")
    return _BOOLEANS[text.strip().lower()]


def _include(parameters: _Parameters, level: Level, warnings: list[str]) -> tuple[frozenset[str], bool]:
    """The tags of includefield without those of finer levels, which a coarser match has many values of."""
    names = [name.strip() for text in parameters.controls.get("includefield", []) for name in text.split(",")]
    include_all = any(name.lower() == "all" for name in names)
    tags = {attribute_path(name).split(".")[0] for name in names if name and name.lower() != "all"}
    finer = frozenset().union(*(LEVEL_TAGS[each] for each in Level if each > level))
    coarser = frozenset().union(*(LEVEL_TAGS[each] for each in Level if each <= level))
    left_out = tags & (finer - coarser)
    if left_out:
        shown = ", ".join(map(_shown, sorted(left_out)))
        warnings.append(f"Left out because they are not attributes of {_PLURALS[level]}: {shown}.")
    return frozenset(tags - left_out), include_all
