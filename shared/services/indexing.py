"""Committing records to the index, each with the values it gives to extended query tags. Nothing else commits any."""

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import orjson

from shared.dicom.attributes import Attribute
from shared.dicom.model import DataSet
from shared.dicom.query_tags import InvalidTagValue, value_of
from shared.dicomweb.segments import inflated
from shared.errors import StorageError
from shared.services.aside import fetch
from shared.services.context import Services
from shared.services.offload import offload
from shared.storage.index.model import InstanceRecord, StoredInstance, TagValue
from shared.storage.index.port import CommitMode, CommitResult
from shared.storage.index.tags import QueryTag, TagError, TagsChanged
from shared.telemetry import describe

logger = logging.getLogger(__name__)

ATTEMPTS = 5
COMMITTED = frozenset((CommitResult.CREATED, CommitResult.REPLACED))


@dataclass(frozen=True, slots=True)
class Draft:
    """A record without values of extended query tags. They come from ``dataset``, where it is None from its metadata.

    A large data set is better not held until its record is committed.
    """

    record: InstanceRecord
    dataset: DataSet | None = None


async def extended_attributes(services: Services) -> tuple[Attribute, ...]:
    """The attributes of all extended query tags, as this process knows them. Raises StorageError."""
    known = await services.known_tags.current(services.index.tags)
    return tuple(tag.attribute for tag in known.tags)


async def commit(services: Services, drafts: Sequence[Draft], mode: CommitMode) -> list[CommitResult]:
    """Make the records visible, one result each, as ``Index.commit`` does. Raises StorageError.

    Where instances were replaced, this returns when no process gives the old ones any more.

    A value that can't be indexed is an error of its tag, just as if the instance had been there before the tag.
    """
    tags = await services.known_tags.current(services.index.tags)
    purge_due = time.time() + services.settings.purge_after_seconds
    for _ in range(ATTEMPTS):
        records, errors = await _with_values(services, drafts, tags.tags)
        try:
            results = await services.index.commit(records, mode, purge_due, tags.generation)
        except TagsChanged:
            tags = await services.known_tags.after(tags, services.index.tags)
            continue
        await _record(services, errors, records, results)
        if CommitResult.REPLACED in results:
            await asyncio.sleep(services.index.settle_seconds)
        return results
    raise StorageError("The extended query tags changed time and again.")


async def _with_values(
    services: Services, drafts: Sequence[Draft], tags: Sequence[QueryTag]
) -> tuple[list[InstanceRecord], list[TagError]]:
    if not tags:
        return [draft.record for draft in drafts], []
    records, errors = [], []
    for draft in drafts:
        values, wrong = tag_values(draft.record, await _dataset(services, draft), tags)
        records.append(replace(draft.record, extended=values))
        errors += wrong
    return records, errors


def tag_values(
    instance: InstanceRecord | StoredInstance, dataset: DataSet, tags: Iterable[QueryTag], *, only_one: bool = False
) -> tuple[tuple[TagValue, ...], list[TagError]]:
    """The values that an instance gives to tags, and why it can't give others. See ``value_of`` for ``only_one``."""
    values, errors = [], []
    for tag in tags:
        made = tag.definition
        try:
            value = value_of(dataset, made.path, made.vr, made.private_creator, only_one=only_one)
        except InvalidTagValue as error:
            errors.append(TagError(tag.key, instance.key, instance.version, time.time_ns() // 1000, error.message))
        else:
            if value is not None:
                values.append(TagValue(tag.index_key, value))
    return tuple(values), errors


async def _dataset(services: Services, draft: Draft) -> DataSet:
    if draft.dataset is not None:
        return draft.dataset
    held = await fetch(services, draft.record.metadata)
    return await offload(len(held), parsed, held)


def parsed(metadata: bytes) -> DataSet:
    """The data set of metadata as the index keeps them."""
    dataset: DataSet = orjson.loads(inflated(metadata))
    return dataset


async def _record(
    services: Services, errors: Sequence[TagError], records: Sequence[InstanceRecord], results: Sequence[CommitResult]
) -> None:
    """Note the errors of what was committed. If that fails the instances are in all the same."""
    versions = {record.version for record, result in zip(records, results, strict=True) if result in COMMITTED}
    if found := [error for error in errors if error.version in versions]:
        try:
            await services.index.tags.record_errors(found)
        except StorageError as error:
            logger.error("%d errors of extended query tags could not be recorded: %s", len(errors), describe(error))
