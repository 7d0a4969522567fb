"""Searching: the index finds, this shapes what each match answers (PS3.18 10.6.3.3, tables 10.6.3-3 to -5)."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

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

TOGETHER = 50
"""Matches that are made at a time where their attributes are at hand."""

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
    """One page of a search: its matches' JSON objects, made some at a time when asked for, and how many there are in
    all."""

    groups: AsyncIterator[list[bytes]]
    count: int
    total: int

    @property
    def objects(self) -> AsyncIterator[bytes]:
        """The same objects, one by one."""
        return (each async for group in self.groups for each in group)


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
            with_modalities=MODALITIES_IN_STUDY in answer.tags,
            tags=tuple(extended.keys.values()),
        )
    )
    return Found(_groups(services, page.matches, Datasets(answer, base_url)), len(page.matches), page.total)


async def _groups(services: Services, matches: Sequence[Match], datasets: "Datasets") -> AsyncIterator[list[bytes]]:
    together: list[bytes] = []
    for match in matches:
        if match.metadata is None:
            together.append(orjson.dumps(datasets.of(match)))
        else:
            held = await fetch(services, match.metadata)
            together.append(await offload(len(held), _object, match, held, datasets))
        if match.metadata is not None or len(together) == TOGETHER:
            yield together
            together = []
    if together:
        yield together


def _object(match: Match, metadata: bytes, datasets: "Datasets") -> bytes:
    return orjson.dumps(datasets.of(match, metadata))


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


class Datasets:
    """What the matches of one search answer. What neighbours have in common is worked out once."""

    def __init__(self, answer: Answer, base_url: str) -> None:
        self._answer = answer
        self._base_url = base_url
        self._shared: tuple[object, ...] | None = None
        self._common: DataSet = {}
        self._url = ""

    def of(self, match: Match, metadata: bytes | None = None) -> DataSet:
        """The attributes of one match, in ascending order; ``metadata`` are those that it holds, if they are needed."""
        level = self._answer.level
        counts = (match.study_series, match.study_instances, match.series_instances)
        shared = (match.key[:-1], match.modalities, counts)
        if shared != self._shared:
            self._common = self._of_parents(match)
            self._url = resource_url(self._base_url, *match.key[:-1], "")
            self._shared = shared
        found = {} if metadata is None else self._of_metadata(metadata)
        found |= self._common
        found |= self._kept(match, level)
        found[RETRIEVE_URL] = {"vr": "UR", "Value": [self._url + match.key[-1]]}
        found[LEVEL_UID[level]] = {"vr": "UI", "Value": [match.key[-1]]}
        return dict(sorted(found.items()))

    def _of_metadata(self, metadata: bytes) -> DataSet:
        answer = self._answer
        source = _inflated(metadata)
        url = resource_url(self._base_url, *(source[LEVEL_UID[level]]["Value"][0] for level in Level))
        everything = answer.everything and answer.level is Level.INSTANCE
        chosen = _chosen(source, answer.tags, everything=everything) | _private(source, answer.private)
        return _resolved(chosen, url)

    def _of_parents(self, match: Match) -> DataSet:
        common: DataSet = {}
        for level in match.datasets:
            if level < self._answer.level:
                common |= self._kept(match, level)
        return common | _chosen(_computed(match, self._answer.level), self._answer.tags)

    def _kept(self, match: Match, level: Level) -> DataSet:
        answer = self._answer
        everything = answer.everything and level in answer.levels
        return _chosen(orjson.loads(match.datasets[level]), answer.tags, everything=everything)


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


def _computed(match: Match, level: Level) -> DataSet:
    """What is known of a match without its attributes, and of those that share its study and series."""
    found: DataSet = {
        INSTANCE_AVAILABILITY: {"vr": "CS", "Value": ["ONLINE"]},
        MODALITIES_IN_STUDY: {"vr": "CS", "Value": list(match.modalities)} if match.modalities else {"vr": "CS"},
        STUDY_RELATED_SERIES: {"vr": "IS", "Value": [match.study_series]},
        STUDY_RELATED_INSTANCES: {"vr": "IS", "Value": [match.study_instances]},
    }
    if level >= Level.SERIES:
        found[SERIES_RELATED_INSTANCES] = {"vr": "IS", "Value": [match.series_instances]}
    for each, uid in zip(Level, match.key[:-1], strict=False):
        found[LEVEL_UID[each]] = {"vr": "UI", "Value": [uid]}
    return found
