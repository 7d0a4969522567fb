# ruff: noqa: S608 - only names of our own go into SQL texts, values are bound
"""Searching: one statement finds a page and fetches it, another counts, each giving one row."""

import sqlite3
from typing import Any

import orjson

from shared.dicom.model import Level
from shared.storage.index.model import Match, Page, Scope, Search
from shared.storage.index.sqlite.clauses import ALIASES, PARTITION, Clause, clause, sort_key, tag_clause
from shared.storage.index.sqlite.rows import joined, split
from shared.storage.index.sqlite.schema import TABLES

LEVELS = tuple(Level)

_JOINS = {
    Level.STUDY: "JOIN studies st ON st.id = {alias}.study",
    Level.SERIES: "JOIN series se ON se.id = i.series AND se.study = i.study",
}
_NEWEST_FIRST = {Level.STUDY: "st.id DESC", Level.SERIES: "se.id DESC", Level.INSTANCE: "i.version DESC, i.id DESC"}

_TOTALS: dict[Level, dict[Level | None, str]] = {
    Level.STUDY: {None: "p.studies"},
    Level.SERIES: {None: "p.series", Level.STUDY: "st.series"},
    Level.INSTANCE: {None: "p.instances", Level.STUDY: "st.instances", Level.SERIES: "se.instances"},
}
"""The counter that tells how many rows of a level belong to a row further up, or to the partition."""

_STUDY = "CROSS JOIN studies st ON st.id = {id} CROSS JOIN studies_content stc ON stc.id = st.id"
_SERIES = "CROSS JOIN series se ON se.id = {id} CROSS JOIN series_content sec ON sec.id = se.id"
_INSTANCE = "CROSS JOIN instances i ON i.id = {id} CROSS JOIN instances_content ic ON ic.id = i.id"
_PAGE_JOINS = {
    Level.STUDY: _STUDY.format(id="page.id"),
    Level.SERIES: f"{_SERIES.format(id='page.id')} {_STUDY.format(id='se.study')}",
    Level.INSTANCE: f"{_INSTANCE.format(id='page.id')} {_SERIES.format(id='i.series')} {_STUDY.format(id='i.study')}",
}
_KEYS = {Level.STUDY: "st.uid", Level.SERIES: "st.uid, se.uid", Level.INSTANCE: "st.uid, se.uid, i.uid"}
_COUNTS = {
    Level.STUDY: "st.series, st.instances, 0",
    Level.SERIES: "st.series, st.instances, se.instances",
    Level.INSTANCE: "st.series, st.instances, se.instances",
}
_MODALITIES = "(SELECT json_group_array(m.name) FROM study_modalities m WHERE m.study = st.id)"
_NO_MODALITIES = "'[]'"
_NEWEST_INSTANCE = {
    Level.STUDY: "SELECT n.id FROM instances n WHERE n.study = st.id ORDER BY n.version DESC, n.id DESC LIMIT 1",
    Level.SERIES: "SELECT n.id FROM instances n WHERE n.series = se.id ORDER BY n.version DESC, n.id DESC LIMIT 1",
    Level.INSTANCE: "i.id",
}


def find(connection: sqlite3.Connection, search: Search) -> Page:
    """Answer one search."""
    clauses = _clauses(search)
    matches = _page(connection, search, clauses)
    if len(matches) < search.limit and (matches or not search.offset):
        return Page(matches, search.offset + len(matches))
    return Page(matches, _total(connection, search, clauses))


def _clauses(search: Search) -> list[Clause]:
    within = _scope_clauses(search.scope)
    alone = len(within) + len(search.conditions) == 1
    tags = {tag.path: tag for tag in search.tags}
    asked = [
        tag_clause(condition, tags[condition.path], number)
        if condition.path in tags
        else clause(condition, alone=alone)
        for number, condition in enumerate(search.conditions)
    ]
    return [*within, *asked]


def _scope_clauses(scope: Scope) -> list[Clause]:
    named = zip(Level, (scope.study, scope.series, scope.instance), strict=True)
    return [Clause(level, f"{ALIASES[level]}.uid = ?", (uid,)) for level, uid in named if uid is not None]


def _page(connection: sqlite3.Connection, search: Search, clauses: list[Clause]) -> tuple[Match, ...]:
    level = search.level
    order, order_levels = [], set()
    for wanted in search.order:
        sorted_level, key = sort_key(wanted.path)
        order_levels.add(sorted_level)
        order.append(f"{key} {'DESC' if wanted.descending else 'ASC'} NULLS LAST")
    found = (
        f"SELECT {ALIASES[level]}.id AS id FROM {_matching(level, clauses, order_levels)} "
        f"ORDER BY {', '.join([*order, _NEWEST_FIRST[level]])} LIMIT ? OFFSET ?"
    )
    parameters = [search.scope.partition, *_parameters(clauses), search.limit, search.offset]
    statement = _fetch(search, found)
    described, *blobs = connection.execute(statement, parameters).fetchone()
    return _matches(search, orjson.loads(described), blobs)


def _total(connection: sqlite3.Connection, search: Search, clauses: list[Clause]) -> int:
    """Count no deeper than the deepest condition: from there on down the counters know."""
    deepest = max((part.level for part in clauses), default=None)
    source = "partitions p WHERE p.name = ?1" if deepest is None else _matching(deepest, clauses, set())
    counted = "count(*)" if deepest is search.level else f"coalesce(sum({_TOTALS[search.level][deepest]}), 0)"
    parameters = [search.scope.partition, *_parameters(clauses)]
    total: int = connection.execute(f"SELECT {counted} FROM {source}", parameters).fetchone()[0]
    return total


def _matching(level: Level, clauses: list[Clause], others: set[Level]) -> str:
    """The FROM and WHERE that give the matching rows of a level; ``others`` are levels that must be in it too."""
    base = ALIASES[level]
    needed = sorted({part.level for part in clauses} | others, reverse=True)
    joins = [_JOINS[other].format(alias=base) for other in needed if other < level]
    joins += [f"JOIN {part.table}" for part in clauses if part.table is not None]
    within = [f"{ALIASES[other]}.partition = {PARTITION}" for other in {level, *needed}]
    conditions = [*within, *(f"({part.sql})" for part in clauses)]
    return f"{TABLES[level]} {base} {' '.join(joins)} WHERE {' AND '.join(conditions)}"


def _parameters(clauses: list[Clause]) -> list[Any]:
    return [value for part in clauses for value in part.parameters]


def _fetch(search: Search, found: str) -> str:
    """The statement that turns the ids of a page, in order, into what the matches hold."""
    level = search.level
    source = f"({found}) AS page {_PAGE_JOINS[level]}"
    if search.with_metadata:
        source += f" CROSS JOIN instances_content newest ON newest.id = ({_NEWEST_INSTANCE[level]})"
    blobs = _blobs(level, search.with_metadata)
    modalities = _MODALITIES if search.with_modalities else _NO_MODALITIES
    lengths = ", ".join(f"length({blob})" for blob in blobs)
    described = f"json_array(json_array({_KEYS[level]}), {_COUNTS[level]}, json({modalities}), json_array({lengths}))"
    return f"SELECT json_group_array({described}), {', '.join(map(joined, blobs))} FROM {source}"


def _blobs(level: Level, with_metadata: bool) -> list[str]:
    datasets = [f"{ALIASES[above]}c.dataset" for above in Level if above <= level]
    return [*datasets, "newest.metadata"] if with_metadata else datasets


def _matches(search: Search, described: list[list[Any]], blobs: list[bytes | None]) -> tuple[Match, ...]:
    lengths = zip(*(row[-1] for row in described), strict=True)
    columns = [split(blob, sizes) for blob, sizes in zip(blobs, lengths, strict=False)]
    metadata = columns.pop() if search.with_metadata and columns else iter([None] * len(described))
    datasets = zip(*columns, strict=True)
    return tuple(
        Match(
            key=tuple(key),
            datasets=dict(zip(LEVELS, contents, strict=False)),
            modalities=tuple(sorted(modalities)),
            study_series=study_series,
            study_instances=study_instances,
            series_instances=series_instances,
            metadata=newest,
        )
        for (key, study_series, study_instances, series_instances, modalities, _), contents, newest in zip(
            described, datasets, metadata, strict=True
        )
    )
