"""Which part of a search looks at the documents of which level."""

from shared.dicom.attributes import BY_PATH, STUDY_UID
from shared.dicom.conditions import Condition, Equal, Order
from shared.dicom.model import Level
from shared.errors import PayloadTooLarge
from shared.storage.index.cosmos.clauses import add
from shared.storage.index.cosmos.documents import KINDS, place
from shared.storage.index.cosmos.sql import Query
from shared.storage.index.model import Search, TagKey

AGES = {Level.STUDY: "created", Level.SERIES: "created", Level.INSTANCE: "version"}


def tag_of(condition: Condition, search: Search) -> TagKey | None:
    """The extended query tag that a condition names; None for attributes that are always searchable."""
    return next((tag for tag in search.tags if tag.path == condition.path), None)


def condition_level(condition: Condition, search: Search) -> Level:
    """Every document holds the UID of its study."""
    if condition.path == STUDY_UID:
        return search.level
    return (tag_of(condition, search) or BY_PATH[condition.path]).level


def order_level(order: Order) -> Level:
    """The level whose documents hold what is sorted by."""
    return BY_PATH[order.path].level


def levels_above(search: Search) -> set[Level]:
    """The levels above its own that a search looks at."""
    looked_at = {condition_level(each, search) for each in search.conditions} | set(map(order_level, search.order))
    return {level for level in looked_at if level < search.level}


SELECTIVE = frozenset(
    tag
    for tag, attribute in BY_PATH.items()
    if attribute.keyword
    in {
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "SOPInstanceUID",
        "PatientID",
        "PatientName",
        "AccessionNumber",
        "StudyID",
        "RequestAttributesSequence.ScheduledProcedureStepID",
        "RequestAttributesSequence.RequestedProcedureID",
    }
)
"""Attributes of which each value is that of few studies, series or instances."""


def finds_few(search: Search) -> bool:
    """Whether the conditions on a search's own level hardly let it find many."""
    if search.level is Level.SERIES and search.scope.study is not None:
        return True
    own = (each for each in search.conditions if condition_level(each, search) is search.level)
    return any(isinstance(each, Equal) and each.path in SELECTIVE for each in own)


def too_broad() -> PayloadTooLarge:
    """What a search is answered that would have to look at too much (PS3.18 10.6.3, status 413)."""
    return PayloadTooLarge("The search is too broad. Narrow it by more attributes, or search within one study.")


def matching(search: Search, level: Level, select: str) -> Query:
    """A query for the documents of a level that meet the scope and the conditions of a search that look at it."""
    scope = search.scope
    query = Query(select)
    query.equal(partition=scope.partition, kind=KINDS[level])
    if scope.study is not None:
        query.equal(study=scope.study)
        if scope.series is not None and level > Level.STUDY:
            query.equal(place=place(scope.study, scope.series))
        if scope.instance is not None and level is Level.INSTANCE:
            query.equal(instance=scope.instance)
    for condition in search.conditions:
        if condition_level(condition, search) is level:
            add(query, condition, tag_of(condition, search))
    return query
