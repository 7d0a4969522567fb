"""Storing instances: each part is scanned while it is written, then a window of parts is committed at once.

The order never changes: bytes durable in the blob store, then the index commit, then the answer. A part that
fails takes no other with it. What a crash leaves behind is at most a blob without an index entry.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, TypeVar

from shared.dicom.attributes import Attribute
from shared.dicom.model import Chunk, Part10
from shared.dicom.scanner import Scanner
from shared.dicomweb.codes import FailureReason
from shared.dicomweb.store_answer import Failed, Outcome, Stored
from shared.dicomweb.urls import instance_url
from shared.errors import InvalidInstance, ServiceUnavailable, StorageError
from shared.services.aside import put_aside, remove
from shared.services.context import Services
from shared.services.indexing import Draft, commit, extended_attributes
from shared.services.preamble import with_preamble
from shared.services.records import Refused, admit, refusal
from shared.services.room import Growing, Share
from shared.storage.blobs.names import InstanceBlob
from shared.storage.index.model import InstanceKey
from shared.storage.index.port import CommitMode, CommitResult
from shared.storage.versions import new_version
from shared.telemetry import describe

logger = logging.getLogger(__name__)

T = TypeVar("T")

SMALL_INSTANCE = 1024 * 1024
"""Up to this many bytes an instance is held in memory, so that the next part is read while it is written."""
WINDOW_INSTANCES = 64
WINDOW_BYTES = 16 * 1024 * 1024
PARALLEL_PUTS = 16
SLOW_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """What one store request asks for. ``study`` is the UID that the URL names, if any."""

    partition: str
    study: str | None
    mode: CommitMode
    api_version: int
    base_url: str


@dataclass(frozen=True, slots=True)
class _Written:
    """An instance whose bytes are durable, not yet in the index."""

    draft: Draft
    sop_class: str
    comments: tuple[str, ...]
    multi_valued: bool

    @property
    def key(self) -> InstanceKey:
        return self.draft.record.key


_Entry: TypeAlias = _Written | Failed


@dataclass(slots=True)
class _Window:
    """Parts received since the last commit: for each, in order, its failure or its write under way."""

    entries: list["_Entry | asyncio.Task[_Entry]"] = field(default_factory=list)
    size: int = 0

    def full(self) -> bool:
        return len(self.entries) >= WINDOW_INSTANCES or self.size >= WINDOW_BYTES


class Store:
    """One store request under way: ``add`` each part in turn, then ``finish``."""

    def __init__(self, services: Services, request: StoreRequest) -> None:
        self._services = services
        self._request = request
        self._window = _Window()
        self._committing: asyncio.Task[list[Outcome]] | None = None
        self._outcomes: list[Outcome] = []
        self._puts = asyncio.Semaphore(PARALLEL_PUTS)
        self.share = Share(services.room)
        """Its share of the memory for data sets."""
        self.stored: list[InstanceKey] = []
        """The instances that were stored so far."""
        self.storage_failed = False
        """Whether a part was lost to the storage rather than to its own faults."""

    async def add(self, chunks: AsyncIterator[Chunk]) -> None:
        """Take one Part 10 instance; returns when its bytes have been read."""
        head: list[Chunk] = []
        size = 0
        chunks = with_preamble(chunks)
        async for chunk in chunks:
            head.append(chunk)
            size += len(chunk)
            if size > SMALL_INSTANCE:
                self._window.entries.append(await self._write(_chain(head, chunks)))
                break
        else:
            self._window.entries.append(asyncio.create_task(self._write_small(head)))
            self._window.size += size
        if self._window.full():
            await self._commit_window()

    def reject(self, reason: str, dataset: Mapping[str, Any] | None = None) -> None:
        """Take note of a part that can't be stored, with the reason in a sentence and its data set if it is one."""
        self._window.entries.append(refusal(reason, dataset or {}))

    async def finish(self) -> list[Outcome]:
        """Commit what was received; gives one outcome per part, in the order of the request.

        Also to be called when the body broke off: the parts that came whole are kept.
        """
        await self._commit_window()
        await self._settle()
        return self._outcomes

    async def _write_small(self, chunks: Sequence[Chunk]) -> _Entry:
        async with self._puts:
            return await self._write(_iterate(chunks))

    async def _write(self, chunks: AsyncIterator[Chunk]) -> _Entry:
        """Scan and write one instance; a broken body raises, a bad instance is a failure."""
        version = new_version()
        request = self._request
        blob = InstanceBlob(request.partition, version, request.mode, request.api_version).name
        try:
            extended = await extended_attributes(self._services)
            with Growing(self.share) as room:
                scan = _Scan(self._request, version, blob, extended, room)
                await self._services.blobs.put(blob, scan.through(chunks))
                written = scan.written()
                del scan
            record = await put_aside(self._services.blobs, written.draft.record)
            return replace(written, draft=replace(written.draft, record=record))
        except Refused as refused:
            return refused.failure
        except (StorageError, ServiceUnavailable) as error:
            self.storage_failed = True
            logger.error("An instance could not be written to the blob store: %s", describe(error))
            return Failed(FailureReason.PROCESSING_FAILURE)

    async def _commit_window(self) -> None:
        window, self._window = self._window, _Window()
        await self._settle()
        if window.entries:
            self._committing = asyncio.create_task(self._commit(window))

    async def _settle(self) -> None:
        if self._committing is not None:
            committing, self._committing = self._committing, None
            self._outcomes += await committing

    async def _commit(self, window: _Window) -> list[Outcome]:
        entries = [await entry if isinstance(entry, asyncio.Task) else entry for entry in window.entries]
        written = [entry for entry in entries if isinstance(entry, _Written)]
        results = iter(await self._commit_drafts([entry.draft for entry in written]))
        return [entry if isinstance(entry, Failed) else self._outcome(entry, next(results)) for entry in entries]

    async def _commit_drafts(self, drafts: Sequence[Draft]) -> list[CommitResult]:
        """What became of each one. Whether one that failed took effect can't be known, so its blob stays."""
        if not drafts:
            return []
        try:
            results = await commit(self._services, drafts, self._request.mode)
        except StorageError as error:
            logger.error("%d instances could not be committed to the index: %s", len(drafts), describe(error))
            results = [CommitResult.FAILED] * len(drafts)
        self.storage_failed |= CommitResult.FAILED in results
        await self._remove_refused(drafts, results)
        return results

    async def _remove_refused(self, drafts: Sequence[Draft], results: Sequence[CommitResult]) -> None:
        for draft, result in zip(drafts, results, strict=True):
            if result is CommitResult.EXISTS:
                try:
                    await remove(self._services.blobs, draft.record.blob)
                except StorageError as error:
                    logger.error("The blob of a refused instance could not be removed: %s", describe(error))

    def _outcome(self, written: _Written, result: CommitResult) -> Outcome:
        key = written.key
        if result is CommitResult.FAILED:
            return Failed(FailureReason.PROCESSING_FAILURE, written.sop_class, key.instance)
        if result is CommitResult.EXISTS:
            return Failed(FailureReason.INSTANCE_EXISTS, written.sop_class, key.instance)
        self.stored.append(key)
        return Stored(
            written.sop_class,
            key.instance,
            instance_url(self._request.base_url, key.study, key.series, key.instance),
            written.comments,
            written.multi_valued,
        )


class _Scan:
    """Reads an instance as it passes by on its way to the blob store."""

    def __init__(
        self, request: StoreRequest, version: int, blob: str, extended: Sequence[Attribute], room: Growing
    ) -> None:
        self._request = request
        self._room = room
        self._version = version
        self._blob = blob
        self._extended = extended
        self._scanner = Scanner()
        self._slow = False
        self._written: _Written | None = None

    async def through(self, chunks: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
        """Give the chunks on; before the last byte is made durable, raise Refused if the instance can't be taken."""
        async for chunk in chunks:
            view = memoryview(chunk)
            while view:
                at_once = self._scanner.at_once
                await self._step(self._scanner.feed, view[:at_once])
                view = view[at_once:]
                if self._scanner.memory > self._room.enough:
                    await self._room.grow(self._scanner.memory)
            yield chunk
        self._written = await self._step(self._admit, await self._step(self._scanner.finish))

    async def _step(self, work: Callable[..., T], *args: object) -> T:
        """Work on the instance: in a thread from the first time on that it took long, as with inflated bytes or a
        header beyond all custom. Raises Refused."""
        began = time.perf_counter()
        try:
            return await asyncio.to_thread(work, *args) if self._slow else work(*args)
        except InvalidInstance as error:
            raise Refused(refusal(error.detail, self._scanner.header or {})) from error
        finally:
            self._slow = self._slow or time.perf_counter() - began > SLOW_SECONDS

    def _admit(self, part10: Part10) -> _Written:
        request = self._request
        admitted = admit(part10, request.study, request.api_version, self._extended)
        record = admitted.record(request.partition, self._version, self._blob, part10)
        kept = admitted.dataset if self._room.light and part10.length <= SMALL_INSTANCE else None
        return _Written(Draft(record, kept), admitted.sop_class, admitted.comments, admitted.multi_valued)

    def written(self) -> _Written:
        if self._written is None:
            raise StorageError("The blob store did not read the instance to its end.")
        return self._written


async def _iterate(chunks: Sequence[Chunk]) -> AsyncIterator[Chunk]:
    for chunk in chunks:
        yield chunk


async def _chain(head: Sequence[Chunk], rest: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
    for chunk in head:
        yield chunk
    async for chunk in rest:
        yield chunk
