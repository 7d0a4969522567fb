# ruff: noqa: S608 - only names of our own go into SQL texts, values are bound
"""From the conditions of a search to SQL over the index's columns."""

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.dicom.attributes import LEVEL_UID, MODALITIES_IN_STUDY
from shared.dicom.conditions import Condition, Equal, MatchValue, Range, Wildcard, Words
from shared.dicom.model import Level
from shared.storage.index.model import TagKey
from shared.storage.index.sqlite.schema import COLUMNS, VALUES, Column

ALIASES = {Level.STUDY: "st", Level.SERIES: "se", Level.INSTANCE: "i"}

PARTITION = "(SELECT key FROM partitions WHERE name = ?1)"
"""The key of the partition whose name is the statement's first parameter."""

_BOUND = "\x01"
"""Stands around every component group of a stored person name. It sorts before any character of a name."""
_PAST_BOUND = "\x02"
_SEPARATORS = f" ^{_BOUND}"
_LAST_CHARACTER = "\U0010ffff"

_MODALITY = Column(MODALITIES_IN_STUDY, "modality", "TEXT", False)
_MODALITIES_ALONE = f"st.id IN (SELECT m.study FROM study_modalities m WHERE m.partition = {PARTITION} AND {{}})"
_MODALITIES_AMONG_OTHERS = (
    f"EXISTS (SELECT 1 FROM study_modalities m WHERE m.partition = {PARTITION} AND m.study = st.id AND {{}})"
)
_UIDS = {LEVEL_UID[level]: level for level in Level}
_COLUMNS = {column.path: (level, column) for level in Level for column in COLUMNS[level]}


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a WHERE clause, its parameters, and the level whose table it looks at, beside ``table`` if given."""

    level: Level
    sql: str
    parameters: tuple[Any, ...]
    table: str | None = None


def stored(value: MatchValue | None, *, is_person_name: bool) -> MatchValue | None:
    """A folded value as a column holds it."""
    if not is_person_name or value is None:
        return value
    return f"{_BOUND}{str(value).replace('=', _BOUND)}{_BOUND}"


def clause(condition: Condition, *, alone: bool = False) -> Clause:
    """The SQL of one condition; ``alone`` tells that there is no other that could find the rows faster."""
    if condition.path == MODALITIES_IN_STUDY:
        sql, parameters = _compare("m.modality", _MODALITY, condition)
        return Clause(Level.STUDY, (_MODALITIES_ALONE if alone else _MODALITIES_AMONG_OTHERS).format(sql), parameters)
    level, name, column = _locate(condition.path)
    return Clause(level, *_compare(name, column, condition))


def tag_clause(condition: Condition, tag: TagKey, number: int) -> Clause:
    """The SQL of a condition on an extended query tag, the ``number``-th of a statement.

    A study, series or instance has no more than one value for a tag: to join the values finds nothing twice, and lets
    the planner begin with them or with what else is asked.
    """
    values = f"v{number}"
    found = f"{values}.tag = (SELECT key FROM tags WHERE key = ?) AND {values}.partition = {PARTITION}"
    sql, parameters = _compare(f"{values}.value", Column(tag.path, "value", "ANY", tag.vr == "PN"), condition)
    return Clause(
        tag.level,
        f"{values}.id = {ALIASES[tag.level]}.id AND {found} AND {sql}",
        (tag.key, *parameters),
        f"{VALUES[tag.level]} {values}",
    )


def sort_key(path: str) -> tuple[Level, str]:
    """The level and the SQL of what to sort by. Several modalities count as the first of them."""
    if path == MODALITIES_IN_STUDY:
        return Level.STUDY, "(SELECT min(m.modality) FROM study_modalities m WHERE m.study = st.id)"
    level, name, _ = _locate(path)
    return level, name


def add_functions(connection: sqlite3.Connection) -> None:
    """Give a connection the function behind the operator REGEXP."""
    connection.create_function("regexp", 2, _regexp, deterministic=True)


def _regexp(pattern: str, text: str | None) -> bool:
    return text is not None and re.search(pattern, text) is not None


def _locate(path: str) -> tuple[Level, str, Column]:
    if path in _UIDS:
        level = _UIDS[path]
        return level, f"{ALIASES[level]}.uid", Column(path, "uid", "TEXT", False)
    level, column = _COLUMNS[path]
    return level, f"{ALIASES[level]}.{column.name}", column


def _compare(name: str, column: Column, condition: Condition) -> tuple[str, tuple[Any, ...]]:
    match condition:
        case Equal(values=values) if column.is_person_name:
            return _any([_name_is(name, str(value)) for value in values])
        case Equal(values=(value,)):
            return f"{name} = ?", (value,)
        case Equal(values=values):
            return f"{name} IN ({', '.join('?' * len(values))})", values
        case Wildcard(patterns=patterns):
            like = _name_like if column.is_person_name else _text_like
            return _any([like(name, pattern) for pattern in patterns])
        case Range(low=low, high=high):
            ends = [(f"{name} >= ?", low), (f"{name} <= ?", high)]
            given = [(sql, end) for sql, end in ends if end is not None]
            return " AND ".join(sql for sql, _ in given) or f"{name} IS NOT NULL", tuple(end for _, end in given)
        case Words(words=words):
            return _name_has_words(name, words)


def _any(alternatives: Sequence[tuple[str, tuple[Any, ...]]]) -> tuple[str, tuple[Any, ...]]:
    sql = " OR ".join(f"({sql})" for sql, _ in alternatives)
    return f"({sql})", tuple(value for _, values in alternatives for value in values)


def _text_like(name: str, pattern: str) -> tuple[str, tuple[str, ...]]:
    """A GLOB, with the range of its fixed beginning for the index to search in."""
    beginning = re.split(r"[*?]", pattern, maxsplit=1)[0]
    glob = pattern.replace("[", "[[]")
    if not beginning:
        return f"{name} GLOB ?", (glob,)
    return f"{name} >= ? AND {name} < ? AND {name} GLOB ?", (beginning, beginning + _LAST_CHARACTER, glob)


def _name_is(name: str, value: str) -> tuple[str, tuple[str, ...]]:
    groups = _groups(value)
    if _in_any_group(value):
        return f"instr({name}, ?)", (f"{_BOUND}{groups}{_BOUND}",)
    return f"{name} >= ? AND {name} < ?", (f"{_BOUND}{groups}{_BOUND}", f"{_BOUND}{groups}{_PAST_BOUND}")


def _name_like(name: str, pattern: str) -> tuple[str, tuple[str, ...]]:
    anything = "*" if _in_any_group(pattern) else ""
    return _text_like(name, f"{anything}{_BOUND}{_groups(pattern)}{_BOUND}*")


def _in_any_group(value: str) -> bool:
    """Names of the Latin script stand in the first component group, where an index finds them (PS3.5 6.2.1.2)."""
    return not value.isascii() or value.startswith("=")


def _groups(value: str) -> str:
    return value.strip("=").replace("=", _BOUND)


def _name_has_words(name: str, words: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """GLOB can't say that two words are adjacent: it leaves the few names that REGEXP, in Python, decides on."""
    glob = "".join(f"*[{_SEPARATORS}]{_literal(word)}" for word in words)
    if len(words) < 2:
        return f"{name} GLOB ?", (f"{glob}*",)
    adjacent = f"[^{_SEPARATORS}]*[{_SEPARATORS}]+".join(map(re.escape, words))
    return f"{name} GLOB ? AND {name} REGEXP ?", (f"{glob}*", f"[{_SEPARATORS}]{adjacent}")


def _literal(text: str) -> str:
    """The GLOB pattern that only the text itself matches."""
    return re.sub(r"[*?[]", r"[\g<0>]", text)
