"""The change feed: what happened to instances, in order, each entry with its state of today."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from typing import TypeAlias

import orjson

from shared.dicomweb.feed_query import FeedRequest
from shared.dicomweb.moments import moment_text
from shared.dicomweb.urls import instance_url
from shared.errors import BlobMissing
from shared.services.aside import fetch
from shared.services.context import Services
from shared.services.metadata import json_object
from shared.services.offload import offload
from shared.storage.index.feed import Action, FeedEntry, FeedQuery
from shared.storage.index.model import DEFAULT_PARTITION

logger = logging.getLogger(__name__)

Partitions: TypeAlias = tuple[str, ...] | None
"""Names of data partitions; None stands for all."""


async def entries(services: Services, request: FeedRequest, partitions: Partitions) -> list[FeedEntry]:
    """The entries that a request asks for, in these partitions. While there are none, waits as long as it says.

    Entries only ever come at the end of the feed, so a window of time that is over is not waited for.
    """
    feed, query, clock = services.index.feed, _query(request, partitions), asyncio.get_running_loop().time
    wait = request.wait if request.end is None else min(request.wait, request.end / 1_000_000 - time.time())
    if wait <= 0:
        return await feed.read(query)
    deadline = clock() + wait
    seen = await feed.last_sequence()
    while not (found := await feed.read(query)):
        grown = await services.watcher.growth(feed, seen, deadline - clock())
        if grown is None:
            break
        if not query.skip:
            query = replace(query, after=max(query.after, seen))
        seen = grown
    return found


async def latest(services: Services, request: FeedRequest, partitions: Partitions) -> FeedEntry | None:
    """The newest of the entries that a request asks for, in these partitions."""
    return await services.index.feed.latest(_query(request, partitions))


async def objects(services: Services, found: Iterable[FeedEntry], base_url: str) -> AsyncIterator[bytes]:
    """Each entry as a JSON object, with its metadata where the index gave them.

    ``base_url`` is the absolute URL up to and including the version; BulkDataURIs lie in the entries' partitions.
    """
    for entry in found:
        shown = orjson.dumps(_shown(entry))
        metadata = await _metadata(services, entry, base_url)
        yield shown if metadata is None else shown[:-1] + b',"metadata":' + metadata + b"}"


def _query(request: FeedRequest, partitions: Partitions) -> FeedQuery:
    return FeedQuery(
        after=request.after,
        skip=request.skip,
        limit=request.limit,
        start=request.start,
        end=request.end,
        partitions=partitions,
        study=request.study,
        actions=None if request.actions is None else tuple(map(Action, request.actions)),
        with_metadata=request.with_metadata,
    )


def _shown(entry: FeedEntry) -> dict[str, str | int]:
    key = entry.key
    return {
        "sequence": entry.sequence,
        "partitionName": key.partition,
        "studyInstanceUid": key.study,
        "seriesInstanceUid": key.series,
        "sopInstanceUid": key.instance,
        "action": entry.action,
        "timestamp": moment_text(entry.time),
        "state": entry.state,
    }


async def _metadata(services: Services, entry: FeedEntry, base_url: str) -> bytes | None:
    """The data set as a DICOM JSON object; None without one, or if it was purged since the entry was read."""
    if entry.metadata is None:
        return None
    try:
        held = await fetch(services, entry.metadata)
    except BlobMissing:
        logger.warning("The metadata of entry %d of the change feed are gone.", entry.sequence)
        return None
    key = entry.key
    base = base_url if key.partition == DEFAULT_PARTITION else f"{base_url}/partitions/{key.partition}"
    return await offload(len(held), json_object, held, instance_url(base, key.study, key.series, key.instance))
