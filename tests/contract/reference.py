"""What a search must find, worked out the slow and plain way from the records that were committed."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cmp_to_key
from typing import Any

from shared.dicom.attributes import BY_PATH, LEVEL_UID, MODALITIES_IN_STUDY
from shared.dicom.conditions import Condition, Equal, Order, Range, Wildcard, Words
from shared.dicom.model import Level
from shared.storage.index.model import InstanceRecord, Search

MODALITY = "00080060"


@dataclass
class Row:
    """A study, series or instance with the values searched by; ``match`` holds those of the levels above too."""

    key: tuple[str, ...]
    age: int
    match: dict[str, Any] = field(default_factory=dict)


def found(records: Sequence[InstanceRecord], search: Search) -> list[tuple[str, ...]]:
    """The keys of all matches in order, whatever the limit and offset."""
    rows = [row for row in _rows(records, search.level) if _within(row, search)]
    modalities = _modalities(records)
    matching = [row for row in rows if all(_holds(row, condition, modalities) for condition in search.conditions)]
    newest_first = sorted(matching, key=lambda row: -row.age)
    return [row.key for row in sorted(newest_first, key=cmp_to_key(lambda a, b: _compare(a, b, search.order)))]


def _rows(records: Sequence[InstanceRecord], level: Level) -> Iterable[Row]:
    merged: dict[tuple[str, ...], Row] = {}
    for age, record in enumerate(records):
        uids = (record.key.study, record.key.series, record.key.instance)
        for each in Level:
            row = merged.setdefault(uids[:each], Row(uids[:each], age))
            row.match |= record.levels[each].match | {LEVEL_UID[each]: uids[each - 1]}
    for key, row in merged.items():
        if len(key) == level:
            above = [merged[key[:each]].match for each in Level if each < level]
            row.match = {path: value for match in (*above, row.match) for path, value in match.items()}
            yield row


def _within(row: Row, search: Search) -> bool:
    named = (search.scope.study, search.scope.series, search.scope.instance)
    return all(uid is None or uid == own for uid, own in zip(named, row.key, strict=False))


def _modalities(records: Sequence[InstanceRecord]) -> Mapping[str, set[str]]:
    modalities: dict[str, set[str]] = {}
    for row in _rows(records, Level.SERIES):
        modalities.setdefault(row.key[0], set()).update(filter(None, [row.match.get(MODALITY)]))
    return modalities


def _holds(row: Row, condition: Condition, modalities: Mapping[str, set[str]]) -> bool:
    if condition.path == MODALITIES_IN_STUDY:
        values = list(modalities[row.key[0]])
    else:
        values = [row.match[condition.path]] if condition.path in row.match else []
    if BY_PATH[condition.path].vr == "PN":
        values = [each for value in values for each in (value, *value.split("="))]
    return any(_matches(value, condition) for value in values)


def _matches(value: Any, condition: Condition) -> bool:
    match condition:
        case Equal(values=wanted):
            return value in wanted
        case Wildcard(patterns=patterns):
            return any(re.fullmatch(_regex(pattern), value, re.DOTALL) for pattern in patterns)
        case Range(low=low, high=high):
            return (low is None or value >= low) and (high is None or value <= high)
        case Words(words=words):
            words_of_name = re.split("[ ^=]+", value)
            runs = (words_of_name[start : start + len(words)] for start in range(len(words_of_name)))
            return any(len(run) == len(words) and all(map(str.startswith, run, words)) for run in runs)


def _regex(pattern: str) -> str:
    return re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")


def _compare(one: Row, other: Row, order: Sequence[Order]) -> int:
    for wanted in order:
        a, b = one.match.get(wanted.path), other.match.get(wanted.path)
        if a == b:
            continue
        if a is None or b is None:
            return 1 if a is None else -1
        return (1 if a > b else -1) * (-1 if wanted.descending else 1)
    return 0
