"""From the conditions of a search to conditions of a query on documents of one kind."""

import re
from collections.abc import Callable, Iterable

from shared.dicom.attributes import BY_PATH, LEVEL_UID, MODALITIES_IN_STUDY
from shared.dicom.conditions import Condition, Equal, MatchValue, Range, Wildcard, Words
from shared.dicom.model import Level
from shared.storage.index.cosmos import names
from shared.storage.index.cosmos.extended import tag_name
from shared.storage.index.cosmos.sql import Query
from shared.storage.index.model import TagKey

UID_PROPERTIES = {LEVEL_UID[level]: level.name.lower() for level in Level}
_SEPARATORS = rf" \^{names.BOUND}"


def add(query: Query, condition: Condition, tag: TagKey | None) -> None:
    """Let a query find only what a condition holds for; ``tag`` is the extended query tag that it names, if it does."""
    if tag is not None:
        name = f'c.extended["{tag_name(tag.key)}"]'
        query.where.append(_compare(query, name, condition, is_person_name=tag.vr == "PN"))
    elif condition.path == MODALITIES_IN_STUDY:
        query.where.append(_modalities(query, condition))
    else:
        is_person_name = BY_PATH[condition.path].vr == "PN"
        query.where.append(_compare(query, _property(condition.path), condition, is_person_name=is_person_name))


def _property(path: str) -> str:
    return f"c.{UID_PROPERTIES[path]}" if path in UID_PROPERTIES else f'c.match["{path}"]'


def _modalities(query: Query, condition: Condition) -> str:
    if isinstance(condition, Equal):
        return _any(f"ARRAY_CONTAINS(c.modalities, {query.bind(value)})" for value in condition.values)
    matches = _compare(query, "m", condition, is_person_name=False)
    return f"EXISTS(SELECT VALUE m FROM m IN c.modalities WHERE {matches})"  # noqa: S608 - values are bound


def _compare(query: Query, name: str, condition: Condition, *, is_person_name: bool) -> str:
    match condition:
        case Equal(values=values) if is_person_name:
            return _any(_name_is(query, name, str(value)) for value in values)
        case Equal(values=values):
            return f"{name} IN ({', '.join(map(query.bind, values))})"
        case Wildcard(patterns=patterns):
            like: Callable[[Query, str, str], str] = _name_like if is_person_name else _text_like
            return _any(like(query, name, pattern) for pattern in patterns)
        case Range(low=low, high=high):
            return _between(query, name, low, high)
        case Words(words=words):
            beginnings = rf"[^{_SEPARATORS}]*[{_SEPARATORS}]+".join(map(_escaped, words))
            return _regex(query, name, f"[{_SEPARATORS}]{beginnings}")


def _any(alternatives: Iterable[str]) -> str:
    return f"({' OR '.join(alternatives)})"


def _between(query: Query, name: str, low: MatchValue | None, high: MatchValue | None) -> str:
    ends = [(">=", low), ("<=", high)]
    given = [f"{name} {sign} {query.bind(end)}" for sign, end in ends if end is not None]
    return " AND ".join(given) or f"IS_DEFINED({name})"


def _name_is(query: Query, name: str, value: str) -> str:
    function = "STARTSWITH" if names.stands_first(value) else "CONTAINS"
    return f"{function}({name}, {query.bind(names.sought(value))})"


def _name_like(query: Query, name: str, pattern: str) -> str:
    anything = "" if names.stands_first(pattern) else "*"
    sought = names.sought(pattern)
    ending = sought.removesuffix(names.BOUND) if pattern.endswith("*") else f"{sought}*"
    return _text_like(query, name, anything + ending)


def _text_like(query: Query, name: str, pattern: str) -> str:
    """The fixed beginning is a range of the index, which leaves less for the regular expression."""
    beginning = re.split(r"[*?]", pattern, maxsplit=1)[0]
    begins = f"STARTSWITH({name}, {query.bind(beginning)})" if beginning else ""
    if pattern == f"{beginning}*":
        return begins or f"IS_DEFINED({name})"
    expression = "".join({"*": ".*", "?": "."}.get(part, _escaped(part)) for part in re.split(r"([*?])", pattern))
    matches = _regex(query, name, f"^{expression}$")
    return f"({begins} AND {matches})" if begins else matches


def _regex(query: Query, name: str, expression: str) -> str:
    return f'RegexMatch({name}, {query.bind(expression)}, "s")'


def _escaped(text: str) -> str:
    return re.sub(r"[.^$*+?()\[\]{}|\\/]", r"\\\g<0>", text)
