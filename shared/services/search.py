"""Searching: the index finds, this shapes what each match answers (PS3.18 10.6.3.3, tables 10.6.3-3 to -5)."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from shared.dicom.attributes import (
    INSTANCE_AVAILABILITY,
    LEVEL_TAGS,
    LEVEL_UID,
    MODALITIES_IN_STUDY,
    RETRIEVE_URL,
    SERIES_RELATED_INSTANCES,
    STUDY_RELATED_INSTANCES,
    STUDY_RELATED_SERIES,
    Attribute,
    default_tags,
)
from shared.dicom.model import DataSet, Level
from shared.dicom.query_tags import creator_place, place_of
from shared.dicomweb.query import Query
from shared.dicomweb.segments import REFERENCE, inflated
from shared.dicomweb.urls import resource_url
from shared.services.aside import fetch
from shared.services.context import Services
from shared.services.metadata import absolute
from shared.services.offload import offload
from shared.services.tags import NO_TAGS, SearchTags
from shared.storage.index.model import Match, Scope, Search

COMPUTED = {
    Level.STUDY: {MODALITIES_IN_STUDY, STUDY_RELATED_SERIES, STUDY_RELATED_INSTANCES},
    Level.SERIES: {SERIES_RELATED_INSTANCES},
    Level.INSTANCE: set[str](),
}
"""What is worked out from the index rather than read from a file, by the level whose answers hold it unasked."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What each match of one search answers.

    ``levels`` are those whose default attributes are given, ``tags`` all that is given when present, and ``private``
    the private attributes that are, in whichever block; ``everything`` stands for all that is known of ``levels``.
    """

    level: Level
    levels: tuple[Level, ...]
    tags: frozenset[str]
    everything: bool
    private: tuple[Attribute, ...] = ()

    @property
    def needs_metadata(self) -> bool:
        """Whether the attributes that the index keeps by level are not enough."""
        if self.private or (self.everything and self.level is Level.INSTANCE):
            return True
        kept = frozenset().union(*(LEVEL_TAGS[level] for level in Level if level <= self.level))
        return not self.tags <= kept | KNOWN_WITHOUT_METADATA


KNOWN_WITHOUT_METADATA = frozenset(
    {INSTANCE_AVAILABILITY, RETRIEVE_URL, *LEVEL_UID.values(), *(tag for tags in COMPUTED.values() for tag in tags)}
)


@dataclass(frozen=True, slots=True)
class Found:
    """One page of a search: each match's JSON object, made when it is asked for, and how many there are in all."""

    objects: AsyncIterator[bytes]
    count: int
    total: int


async def search(
    services: Services,
    level: Level,
    scope: Scope,
    query: Query,
    api_version: int,
    base_url: str,
    extended: SearchTags = NO_TAGS,
) -> Found:
    """Run a parsed query over what ``scope`` names. Gives matches of ``level``.

    ``extended`` are the extended query tags that the query was parsed with.
    """
    answer = answer_for(level, scope, query, api_version, extended)
    page = await services.index.search(
        Search(
            level=level,
            scope=scope,
            conditions=query.conditions,
            order=query.order,
            limit=query.limit,
            offset=query.offset,
            with_metadata=answer.needs_metadata,
            tags=tuple(extended.keys.values()),
        )
    )
    return Found(_objects(services, page.matches, answer, base_url), len(page.matches), page.total)


async def _objects(services: Services, matches: Sequence[Match], answer: Answer, base_url: str) -> AsyncIterator[bytes]:
    for match in matches:
        held = None if match.metadata is None else await fetch(services, match.metadata)
        yield await offload(len(held or b""), _object, replace(match, metadata=held), answer, base_url)


def _object(match: Match, answer: Answer, base_url: str) -> bytes:
    return orjson.dumps(dataset(match, answer, base_url))


def answer_for(level: Level, scope: Scope, query: Query, api_version: int, extended: SearchTags = NO_TAGS) -> Answer:
    """Which attributes a search answers: the defaults of its levels, the path's UIDs, filters and includefield.

    A level whose UID the path names is left out but for that UID (the behaviour of the map's resources).
    """
    named = {Level.STUDY: scope.study, Level.SERIES: scope.series}
    levels = tuple(each for each in Level if each <= level and not named.get(each))
    tags = frozenset().union(*(default_tags(each, api_version) for each in levels), COMPUTED[level])
    always = {LEVEL_UID[each] for each in Level if each <= level} | {INSTANCE_AVAILABILITY, RETRIEVE_URL}
    private = {path: each for path, each in extended.attributes.items() if each.private_creator is not None}
    asked = {path.split(".")[0] for path in (*(query.filters.keys() - private), *query.include)}
    return Answer(level, levels, tags | always | asked, query.include_all, tuple(private.values()))


def dataset(match: Match, answer: Answer, base_url: str) -> DataSet:
    """The attributes of one match, in ascending order."""
    found: DataSet = {}
    if match.metadata is not None:
        metadata = _inflated(match.metadata)
        url = resource_url(base_url, *(metadata[LEVEL_UID[level]]["Value"][0] for level in Level))
        everything = answer.everything and answer.level is Level.INSTANCE
        chosen = _chosen(metadata, answer.tags, everything=everything) | _private(metadata, answer.private)
        found |= _resolved(chosen, url)
    for level, stored in match.datasets.items():
        found |= _chosen(orjson.loads(stored), answer.tags, everything=answer.everything and level in answer.levels)
    found |= _chosen(_computed(match, answer.level, base_url), answer.tags)
    return dict(sorted(found.items()))


def _chosen(source: DataSet, tags: frozenset[str], *, everything: bool = False) -> DataSet:
    return source if everything else {tag: element for tag, element in source.items() if tag in tags}


def _private(metadata: DataSet, attributes: Iterable[Attribute]) -> DataSet:
    """Private attributes where they stand, each with the element that says whose it is (PS3.5 7.8.1)."""
    found: DataSet = {}
    for attribute in attributes:
        place = place_of(metadata, attribute.path, attribute.private_creator)
        if place is not None:
            found |= {tag: metadata[tag] for tag in (creator_place(place), place)}
    return found


def _inflated(metadata: bytes) -> DataSet:
    parsed: DataSet = orjson.loads(inflated(metadata))
    return parsed


def _resolved(chosen: DataSet, instance: str) -> DataSet:
    """The same with absolute bulk data URIs."""
    text = orjson.dumps(chosen)
    resolved: DataSet = orjson.loads(absolute(text, instance)) if REFERENCE in text else chosen
    return resolved


def _computed(match: Match, level: Level, base_url: str) -> DataSet:
    values: dict[str, tuple[str, list[Any]]] = {
        INSTANCE_AVAILABILITY: ("CS", ["ONLINE"]),
        MODALITIES_IN_STUDY: ("CS", list(match.modalities)),
        RETRIEVE_URL: ("UR", [resource_url(base_url, *match.key)]),
        STUDY_RELATED_SERIES: ("IS", [match.study_series]),
        STUDY_RELATED_INSTANCES: ("IS", [match.study_instances]),
    }
    if level >= Level.SERIES:
        values[SERIES_RELATED_INSTANCES] = ("IS", [match.series_instances])
    for each, uid in zip(Level, match.key, strict=False):
        values[LEVEL_UID[each]] = ("UI", [uid])
    return {tag: {"vr": vr, "Value": value} if value else {"vr": vr} for tag, (vr, value) in values.items()}
