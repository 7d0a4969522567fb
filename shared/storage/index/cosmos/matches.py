"""From the documents of a page to its matches, with those that stand above them."""

import asyncio
from collections.abc import Mapping, Sequence

from shared.dicom.model import Level
from shared.storage.index.cosmos.container import Container, Document
from shared.storage.index.cosmos.documents import (
    INSTANCE,
    SERIES,
    STUDY,
    STUDY_ID,
    key_of,
    metadata_of,
    modality_names,
    series_id,
)
from shared.storage.index.cosmos.order import Row
from shared.storage.index.cosmos.sql import Query
from shared.storage.index.model import Match, Scope, Search

_PARENT = "c.place, c.newest, c.dataset, c.number_of_instances, c.number_of_series, c.modality_names"
_INSTANCE = "c.place, c.instance, c.version, c.dataset"

Parents = Mapping[str, Document]
"""The documents of studies and series, by place."""


def whole_columns(search: Search) -> str:
    """What a query has to select for all that a match holds of its own level."""
    return _with_metadata(search) if search.level is Level.INSTANCE else _PARENT


def _with_metadata(search: Search) -> str:
    return f"{_INSTANCE}, c.metadata" if search.with_metadata else _INSTANCE


async def named_parents(index: Container, search: Search) -> Parents:
    """The documents above the matches that the scope names, so that they can be read at the same time."""
    scope = search.scope
    if scope.study is None or search.level is Level.STUDY:
        return {}
    ids = [STUDY_ID]
    if scope.series is not None and search.level is Level.INSTANCE:
        ids.append(series_id(scope.series))
    found = await asyncio.gather(*(index.read(each, key_of(scope)) for each in ids))
    return {each["place"]: each for each in found if each is not None}


async def to_matches(
    index: Container, search: Search, page: Sequence[Row], above: Parents, *, whole: bool
) -> tuple[Match, ...]:
    """The matches of a page. What lost its study or series since it was found is left out."""
    found = [each.document for each in page]
    parents = dict(above)
    instances: Mapping[str, Document] = {}
    if search.level is not Level.INSTANCE:
        parents |= {each["place"]: each for each in found if whole}
    elif whole:
        instances = {each["version"]: each for each in found}
    else:
        versions = [each["version"] for each in found]
        instances = await _by_version(index, search.scope, versions, _with_metadata(search))
    missing = {above for each in found for above in _places(each)} - parents.keys()
    parents |= await _at_places(index, search.scope, sorted(missing))
    chains = []
    for each in found:
        chain = [parents.get(above) for above in _places(each)]
        if search.level is Level.INSTANCE:
            chain.append(instances.get(each["version"]))
        if (complete := [it for it in chain if it is not None]) and len(complete) == search.level:
            chains.append(complete)
    contents = await _metadata(index, search, [chain[-1] for chain in chains])
    return tuple(_match(chain, metadata) for chain, metadata in zip(chains, contents, strict=True))


def _places(document: Document) -> list[str]:
    """Those of a study, of a study and series, or of what an instance belongs to."""
    own: str = document["place"]
    study, _, series = own.partition("/")
    return [study, own] if series else [study]


async def _at_places(index: Container, scope: Scope, places: Sequence[str]) -> dict[str, Document]:
    if not places:
        return {}
    query = Query(_PARENT)
    query.equal(partition=scope.partition)
    query.among("c.kind", (STUDY, SERIES))
    query.among("c.place", places)
    return {each["place"]: each for each in await index.query(query, key_of(scope))}


async def _by_version(index: Container, scope: Scope, versions: Sequence[str], select: str) -> dict[str, Document]:
    if not versions:
        return {}
    query = Query(select)
    query.equal(partition=scope.partition, kind=INSTANCE)
    query.among("c.version", versions)
    return {each["version"]: each for each in await index.query(query, key_of(scope))}


async def _metadata(index: Container, search: Search, own: Sequence[Document]) -> list[bytes | None]:
    """That of each document, or of the newest instance of its study or series, if the search wants it."""
    if not search.with_metadata:
        return [None] * len(own)
    if search.level is Level.INSTANCE:
        return [metadata_of(each) for each in own]
    newest = [each["newest"] for each in own]
    found = await _by_version(index, search.scope, newest, "c.version, c.metadata")
    return [metadata_of(found[version]) if version in found else None for version in newest]


def _match(chain: Sequence[Document], metadata: bytes | None) -> Match:
    study, series = chain[0], chain[1] if len(chain) > 1 else None
    own = chain[-1]
    key = (*own["place"].split("/"), own["instance"]) if "instance" in own else tuple(own["place"].split("/"))
    return Match(
        key=key,
        datasets={level: each["dataset"].encode() for level, each in zip(Level, chain, strict=False)},
        modalities=modality_names(study),
        study_series=study["number_of_series"],
        study_instances=study["number_of_instances"],
        series_instances=series["number_of_instances"] if series else 0,
        metadata=metadata,
    )
