"""Import by dropping files: what lies in the inbox is stored like what POST sends, and goes.

A file may be told of any number of times, and the process may end at any moment: nothing leaves the inbox before it
is stored or set aside, and storing the same bytes again is no failure here.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

from shared.dicom.attributes import INSTANCE_UID, SERIES_UID, STUDY_UID
from shared.dicom.identifiers import trim_uid
from shared.dicom.scanner import Scanner
from shared.dicomweb.codes import FailureReason
from shared.dicomweb.store_answer import Failed, Stored
from shared.errors import StorageError
from shared.services.context import Services
from shared.services.inbox_archive import Archive, UnreadableArchive, opened_archive
from shared.services.inbox_contents import Kind, begun, is_passed_over, kind, same
from shared.services.inbox_errors import Failure, set_aside
from shared.services.inbox_names import partition_of
from shared.services.offload import offload
from shared.services.preamble import with_preamble
from shared.services.store import Store, StoreRequest
from shared.storage.blobs.in_order import in_order
from shared.storage.inbox.port import Dropped, Inbox
from shared.storage.index.model import DEFAULT_PARTITION, InstanceKey
from shared.storage.index.port import CommitMode
from shared.telemetry import describe
from shared.telemetry.meters import meters
from shared.telemetry.metrics import STORED

logger = logging.getLogger(__name__)

API_VERSION = 2
GROWN_SECONDS = 60.0
"""A file that can't be imported, changed less long ago, may not be whole yet where files are seen to grow."""
LEFT_SECONDS = 600.0
"""Age from which a file is taken for one that was not told of."""
SWEEP_SECONDS = 240.0
"""How long one run goes on to take such files."""
TAKEN_AT_ONCE = 4
SETTLED_AT_ONCE = 1000
"""Files of an archive after which the outcomes are counted and forgotten."""


class StillGrowing(Exception):
    """A file may not be whole yet and stays; it has to be told of again."""


async def take(services: Services, name: str) -> None:
    """Import one file of the inbox; one that is not there any more is done.

    Raises StorageError and StillGrowing, and then the file stays: the caller has to tell of it again.
    """
    inbox, errors = services.inbox, services.inbox_errors
    if inbox is None or errors is None or (file := await inbox.find(name)) is None:
        return
    young = inbox.grows and abs(time.time() - file.changed) < GROWN_SECONDS
    if young and not file.length:
        raise StillGrowing
    if file.length and not is_passed_over(name):
        outcome = await _import(services, inbox, file)
        if outcome.failures and young:
            raise StillGrowing
        if outcome.failures:
            await set_aside(inbox, errors, file, outcome.stored, outcome.failures)
            logger.warning("A dropped file: %d instances stored, %d failed.", outcome.stored, len(outcome.failures))
    await inbox.remove(file)


async def take_left(services: Services) -> None:
    """Import the files that lie in the inbox for long, a few at a time; what fails stays for the next run."""
    inbox = services.inbox
    if inbox is None:
        return
    ends = time.monotonic() + SWEEP_SECONDS

    async def calls() -> AsyncIterator[Coroutine[Any, Any, None]]:
        async for file in inbox.files():
            if time.monotonic() > ends:
                break
            if time.time() - file.changed > LEFT_SECONDS:
                yield _try(services, file.name)

    async for _ in in_order(calls(), TAKEN_AT_ONCE):
        pass


async def _try(services: Services, name: str) -> None:
    try:
        await take(services, name)
    except StillGrowing:
        return
    except Exception as error:
        logger.error("A file left in the inbox could not be imported: %s", describe(error))


async def _import(services: Services, inbox: Inbox, file: Dropped) -> "_Import":
    partition = partition_of(file.name)
    whole = _Source(lambda: inbox.read(file))
    importing = _Import(services, partition or DEFAULT_PARTITION)
    try:
        if partition is None:
            importing.reject(whole, "The folder below 'partitions' has a name that no data partition can have.")
        else:
            start, chunks = await begun(inbox.read(file))
            if kind(start) is Kind.ARCHIVE:
                await _import_archive(importing, whole, chunks)
            else:
                await importing.offer(whole, start, chunks)
        await importing.settle()
    except BaseException:
        await asyncio.shield(importing.abandon())
        raise
    return importing


async def _import_archive(importing: "_Import", whole: "_Source", chunks: AsyncIterator[bytes]) -> None:
    try:
        async with opened_archive(chunks) as archive:
            await _import_entries(importing, archive)
            await importing.settle()
    except UnreadableArchive as error:
        importing.reject(whole, error.detail)


async def _import_entries(importing: "_Import", archive: Archive) -> None:
    for entry in archive.entries:
        if not entry.info.file_size or is_passed_over(entry.name):
            continue
        source = _Source(partial(archive.read, entry), entry.position, entry.name)
        try:
            await importing.offer(source, *await begun(source.read()))
        except UnreadableArchive as error:
            importing.reject(source, error.detail)
        await importing.settle_many()


@dataclass(frozen=True, slots=True)
class _Source:
    """Where an instance is read from, any number of times: the dropped file, or one within an archive."""

    read: Callable[[], AsyncIterator[bytes]]
    position: int | None = None
    name: str | None = None


class _Import:
    """One dropped file on its way into a data partition: ``offer`` what is in it, then ``settle``."""

    def __init__(self, services: Services, partition: str) -> None:
        self._services = services
        self._request = StoreRequest(partition, None, CommitMode.CREATE, API_VERSION, base_url="")
        self._begin()
        self.stored = 0
        self.failures: list[Failure] = []

    def _begin(self) -> None:
        self._store = Store(self._services, self._request)
        self._sources: list[_Source] = []

    async def offer(self, source: _Source, start: bytes, chunks: AsyncIterator[bytes]) -> None:
        """Take an instance, whose chunks begin with ``start``; what is no instance and no failure is passed over."""
        match kind(start):
            case Kind.DIRECTORY:
                return
            case Kind.ARCHIVE:
                self.reject(source, "An archive within an archive is not opened.")
            case Kind.INSTANCE:
                await self._store.add(chunks)
                self._sources.append(source)

    def reject(self, source: _Source, reason: str) -> None:
        """Take note of what can't be stored."""
        self._store.reject(reason)
        self._sources.append(source)

    async def settle_many(self) -> None:
        """Settle if much was offered since that was last done."""
        if len(self._sources) >= SETTLED_AT_ONCE:
            await self.settle()

    async def settle(self) -> None:
        """Commit what was offered, and count what became of it. Raises StorageError if that can't be known."""
        outcomes = await self._store.finish()
        if self._store.storage_failed:
            raise StorageError("What was dropped could not be stored, or that is not known.")
        meters.add(STORED, sum(isinstance(outcome, Stored) for outcome in outcomes))
        sources = self._sources
        self._begin()
        for source, outcome in zip(sources, outcomes, strict=True):
            if isinstance(outcome, Stored) or await self._is_stored(source, outcome):
                self.stored += 1
            else:
                self.failures.append(Failure(outcome, source.position, source.name))

    async def abandon(self) -> None:
        """Let the store end what it has under way."""
        await self._store.finish()

    async def _is_stored(self, source: _Source, outcome: Failed) -> bool:
        """Whether an instance was refused only because it is stored already, with the very same bytes."""
        if outcome.reason is not FailureReason.INSTANCE_EXISTS:
            return False
        scanner = Scanner()
        async for chunk in with_preamble(source.read()):
            await offload(len(chunk), scanner.feed, chunk)
        part10 = scanner.finish()
        uids = (trim_uid(part10.dataset[tag]["Value"][0]) for tag in (STUDY_UID, SERIES_UID, INSTANCE_UID))
        stored = await self._services.index.instance(InstanceKey(self._request.partition, *uids))
        if stored is None:
            raise StorageError("An instance was deleted while it was imported.")
        if stored.length != part10.length:
            return False
        return await same(self._services.blobs.read(stored.blob), with_preamble(source.read()))
