"""What a search asks of attribute values: the kinds of matching of PS3.4 C.2.2.2, as plain values."""

from dataclasses import dataclass
from typing import TypeAlias

MatchValue: TypeAlias = str | int | float
"""A value as it is compared: folded by ``shared.dicom.matching`` when written and when asked for."""


@dataclass(frozen=True, slots=True)
class Equal:
    """Any of ``values`` matches: single value and list of UID or multiple value matching."""

    path: str
    values: tuple[MatchValue, ...]


@dataclass(frozen=True, slots=True)
class Wildcard:
    """Any of ``patterns`` matches: ``*`` any run of characters, ``?`` exactly one (PS3.4 C.2.2.2.4)."""

    path: str
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """``low <= value <= high``; an open end is None (PS3.4 C.2.2.2.5)."""

    path: str
    low: MatchValue | None
    high: MatchValue | None


@dataclass(frozen=True, slots=True)
class Words:
    """Each word begins a word of the name, the words adjacent and in order (fuzzy matching)."""

    path: str
    words: tuple[str, ...]


Condition: TypeAlias = Equal | Wildcard | Range | Words


@dataclass(frozen=True, slots=True)
class Order:
    """Sort by the attribute at ``path``; matches without a value come last."""

    path: str
    descending: bool = False
