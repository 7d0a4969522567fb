"""The query string of a search, read into plain values once (QIDO-RS, PS3.18 8.3.4 and 10.6.1.2).

=====================  ======  =========================================================================
Parameter              Count   Value
=====================  ======  =========================================================================
an attribute           0..1    keyword, 8 hex digits, or a sequence and a member with a dot between:
                               see ``shared.dicomweb.query_values``
includefield           0..n    attributes, comma-separated, or ``all``
limit                  0..1    1 or more; lowered to the maximum, with a warning
offset                 0..1    0 or more
fuzzymatching          0..1    ``true`` or ``false``
orderby                0..n    attributes, comma-separated, descending with a leading ``-`` or ``:desc``
emptyvaluematching     0..1    ``true`` is not supported, which a warning says
multiplevaluematching  0..1    lists of values are taken in any case
accept                 0..n    not looked at here
=====================  ======  =========================================================================

Keywords are case-sensitive, the names of the other parameters are not.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from shared.dicom.attributes import BY_PATH, LEVEL_TAGS, LEVEL_UID, SERIES_RELATED_INSTANCES, Attribute
from shared.dicom.conditions import Condition, Order
from shared.dicom.model import Level
from shared.dicom.standard import keyword_for_tag, tag_for_keyword
from shared.dicomweb.query_values import condition
from shared.dicomweb.refusals import invalid_parameter, not_utf_8, repeated
from shared.errors import BadRequest

DEFAULT_LIMIT = 100
MAX_LIMIT = 200
MAX_QUERY = 64 * 1024
"""Characters of a query string, as it is sent."""
MAX_PARAMETERS = 500

_CONTROLS = frozenset(
    {
        "includefield",
        "limit",
        "offset",
        "fuzzymatching",
        "orderby",
        "emptyvaluematching",
        "multiplevaluematching",
        "accept",
    }
)
_ADVICE = (
    "If the parameter is an attribute keyword, check the casing as they are case-sensitive. The conformance statement "
    "has a list of supported query parameters, attributes and the levels."
)
_TAGS_OF = {**LEVEL_TAGS, Level.SERIES: LEVEL_TAGS[Level.SERIES] | {SERIES_RELATED_INSTANCES}}

_Controls = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Query:
    """One search as it was asked for.

    ``filters`` are the attributes that were given a value, even one that matches everything: by path, the names they
    were called by; ``include`` the tags of includefield and ``include_all`` whether ``all`` was among them;
    ``warnings`` what was asked for and not done, as sentences for ``Warning: 299``.
    """

    conditions: tuple[Condition, ...] = ()
    order: tuple[Order, ...] = ()
    limit: int = DEFAULT_LIMIT
    offset: int = 0
    filters: Mapping[str, str] = field(default_factory=dict)
    include: frozenset[str] = frozenset()
    include_all: bool = False
    fuzzy: bool = False
    warnings: tuple[str, ...] = ()


def check_query(raw: str) -> None:
    """Raises BadRequest for a query string, as it was sent, that no resource takes."""
    if "<" in raw or "%3c" in raw.lower():
        raise BadRequest("The query string included invalid characters.")
    if len(raw) > MAX_QUERY:
        raise BadRequest(f"The query string is longer than {MAX_QUERY} characters.")


def parse_query(
    raw: str,
    level: Level,
    named: Collection[Level] = (),
    attributes: Mapping[str, Attribute] = BY_PATH,
    max_limit: int = MAX_LIMIT,
    default_limit: int = DEFAULT_LIMIT,
    extended: Mapping[str, Attribute] | None = None,
) -> Query:
    """Read the query string, as it was sent, of a search for ``level``.

    ``named`` are the levels whose UIDs stand in the path, ``attributes`` what can be searched and ordered by, by path,
    ``extended`` what can be searched by beyond or instead of that. Raises BadRequest for what is unknown, repeated, not
    searchable or malformed.
    """
    controls, filters = _sorted_out(_pairs(raw))
    wanted = _wanted(filters, level, {LEVEL_UID[each] for each in named}, {**attributes, **(extended or {})})
    limit, limit_warnings = _limit(controls, max_limit, default_limit)
    include, include_all, include_warnings = _included(controls.get("includefield", ()), level)
    fuzzy = _boolean(controls, "fuzzymatching")
    conditions = (condition(attribute, value, fuzzy=fuzzy) for attribute, _, value in wanted)
    return Query(
        conditions=tuple(found for found in conditions if found is not None),
        order=_order(controls.get("orderby", ()), level, attributes),
        limit=limit,
        offset=_whole_number(controls, "offset", "0 or more", smallest=0) or 0,
        filters={attribute.path: name for attribute, name, _ in wanted},
        include=include,
        include_all=include_all,
        fuzzy=fuzzy,
        warnings=(*limit_warnings, *include_warnings, *_matching_warnings(controls)),
    )


def searched_by(raw: str) -> frozenset[str]:
    """The paths of the attributes that a query string, as it was sent, gives values. Raises BadRequest."""
    _, filters = _sorted_out(_pairs(raw))
    return frozenset(path for name, _ in filters if (path := attribute_path(name)))


def attribute_path(name: str) -> str | None:
    """The tag, or ``SEQUENCE.MEMBER``, that keywords or hexadecimal tags stand for; None if they stand for nothing."""
    tags = [_tag(part) for part in name.split(".")]
    return ".".join(filter(None, tags)) if all(tags) and len(tags) <= 2 else None


def _tag(name: str) -> str | None:
    if re.fullmatch("[0-9A-Fa-f]{8}", name):
        return name.upper()
    number = tag_for_keyword(name) if name else None
    return None if number is None else f"{number:08X}"


def _keyword(path: str) -> str:
    return ".".join(keyword_for_tag(int(tag, 16)) or tag for tag in path.split("."))


def _pairs(raw: str) -> list[tuple[str, str]]:
    check_query(raw)
    parts = [part for part in raw.split("&") if part]
    if len(parts) > MAX_PARAMETERS:
        raise BadRequest(f"The query has more than {MAX_PARAMETERS} parameters.")
    try:
        decoded = [[unquote_plus(side, errors="strict") for side in part.partition("=")[::2]] for part in parts]
    except UnicodeDecodeError:
        raise not_utf_8() from None
    return [(name.strip(), value) for name, value in decoded]


def _sorted_out(pairs: Iterable[tuple[str, str]]) -> tuple[dict[str, list[str]], list[tuple[str, str]]]:
    """The controls by name in lower case, and all else, which should be attributes."""
    controls: dict[str, list[str]] = {}
    filters = []
    for name, value in pairs:
        if name.lower() in _CONTROLS:
            controls.setdefault(name.lower(), []).append(value.strip())
        else:
            filters.append((name, value))
    return controls, filters


def _wanted(
    filters: Iterable[tuple[str, str]], level: Level, in_path: Collection[str], attributes: Mapping[str, Attribute]
) -> list[tuple[Attribute, str, str]]:
    """The attributes to search by, each with its name as given and its value. Those of a level above the path's UIDs
    are welcome."""
    wanted: dict[str, tuple[Attribute, str, str]] = {}
    for name, value in filters:
        attribute = _searchable(name, level, attributes)
        if attribute.path in in_path:
            raise BadRequest(f"AttributeId {attribute.keyword} is not queryable: the path names it already.")
        if attribute.path in wanted:
            raise BadRequest(f"Duplicate AttributeId {attribute.keyword}: each attribute may be given once.")
        wanted[attribute.path] = (attribute, name, value)
    return list(wanted.values())


def _searchable(name: str, level: Level, attributes: Mapping[str, Attribute]) -> Attribute:
    path = attribute_path(name)
    if path is None:
        raise BadRequest(f"Unknown query parameter{repeated(name)}. {_ADVICE}")
    attribute = attributes.get(path)
    if attribute is None or attribute.level > level:
        raise BadRequest(f"AttributeId {_keyword(path)} is not queryable. {_ADVICE}")
    return attribute


def _only(controls: _Controls, name: str) -> str | None:
    values = controls.get(name, ())
    if len(values) > 1:
        raise BadRequest(f"The query parameter '{name}' is given more than once.")
    return values[0] if values else None


def _boolean(controls: _Controls, name: str) -> bool:
    value = _only(controls, name)
    if value is not None and value.lower() not in ("true", "false"):
        raise invalid_parameter(name, "It is either true or false.")
    return value is not None and value.lower() == "true"


def _whole_number(controls: _Controls, name: str, span: str, smallest: int) -> int | None:
    value = _only(controls, name)
    if value is None:
        return None
    if not re.fullmatch("[0-9]{1,18}", value) or int(value) < smallest:
        field = name.capitalize()
        raise invalid_parameter(field, f"The field {field} must be {span}.")
    return int(value)


def _limit(controls: _Controls, most: int, default: int) -> tuple[int, list[str]]:
    limit = _whole_number(controls, "limit", f"between 1 and {most}", smallest=1)
    if limit is not None and limit > most:
        return most, [f"The limit was reduced to {most}. Use offset to get further results."]
    return default if limit is None else limit, []


def _included(lists: Iterable[str], level: Level) -> tuple[frozenset[str], bool, list[str]]:
    """The tags to include, whether all are, and a warning of those of lower levels, of which a match has many."""
    names = _listed(lists)
    tags = {_included_tag(name) for name in names if name.lower() != "all"}
    held = frozenset().union(*(_TAGS_OF[each] for each in Level if each <= level))
    lower = frozenset().union(*(_TAGS_OF[each] for each in Level if each > level)) - held
    ignored = ", ".join(_keyword(tag) for tag in sorted(tags & lower))
    warnings = [f"Left out of the answer because they belong to a lower level: {ignored}."] if ignored else []
    return frozenset(tags - lower), any(name.lower() == "all" for name in names), warnings


def _included_tag(name: str) -> str:
    """A member of a sequence comes with the whole sequence."""
    path = attribute_path(name)
    if path is None:
        raise BadRequest(f"The query parameter 'includefield' has an unknown attribute{repeated(name)}.")
    return path.partition(".")[0]


def _order(lists: Iterable[str], level: Level, attributes: Mapping[str, Attribute]) -> tuple[Order, ...]:
    order: dict[str, Order] = {}
    for item in _listed(lists):
        name, _, direction = item.partition(":")
        if direction.lower() not in ("", "asc", "desc"):
            raise invalid_parameter("orderby", "A direction is asc or desc.")
        path = _ordered_by(name.lstrip("+-").strip(), level, attributes)
        if path in order:
            raise invalid_parameter("orderby", "It names an attribute twice.")
        order[path] = Order(path, descending=name.startswith("-") or direction.lower() == "desc")
    return tuple(order.values())


def _ordered_by(name: str, level: Level, attributes: Mapping[str, Attribute]) -> str:
    path = attribute_path(name)
    if path is not None and path not in attributes:
        raise invalid_parameter("orderby", f"Results can't be ordered by AttributeId {_keyword(path)}.")
    return _searchable(name, level, attributes).path


def _listed(lists: Iterable[str]) -> list[str]:
    items = (item.strip() for text in lists for item in text.split(","))
    return [item for item in items if item]


def _matching_warnings(controls: _Controls) -> list[str]:
    _boolean(controls, "multiplevaluematching")
    if _boolean(controls, "emptyvaluematching"):
        return ["emptyvaluematching is not supported and was ignored."]
    return []
