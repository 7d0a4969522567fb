"""What every use case works with: the settings and the opened storage of this process."""

import asyncio
import gc
from dataclasses import dataclass, field, replace

from shared.audit import Trail
from shared.services.background import Background
from shared.services.known_tags import KnownTags
from shared.services.waiting import Waiting
from shared.services.watcher import Watcher
from shared.settings import Settings, settings
from shared.storage import adapters
from shared.storage.blobs.port import BlobStore
from shared.storage.inbox.port import Inbox
from shared.storage.index.port import Index
from shared.telemetry.meters import meters
from shared.telemetry.sending import sending


@dataclass(frozen=True, slots=True)
class Services:
    """The opened ports, what watches the change feed, the tasks in the background, and the audit.

    One for each process, shared by all its requests.
    """

    settings: Settings
    blobs: BlobStore
    index: Index
    watcher: Watcher = field(default_factory=Watcher)
    background: Background = field(default_factory=Background)
    known_tags: KnownTags = field(default_factory=KnownTags)
    inbox: Inbox | None = None
    inbox_errors: Inbox | None = None
    audit: Trail = field(default_factory=Trail)

    @property
    def inboxes(self) -> list[Inbox]:
        """The inbox and that of errors, or none."""
        return [inbox for inbox in (self.inbox, self.inbox_errors) if inbox is not None]


async def open_services(chosen: Settings) -> Services:
    """Open the storage that the settings name. Raises StorageError when it can't be reached."""
    opened = Services(
        chosen,
        adapters.blob_store(chosen),
        adapters.index(chosen),
        inbox=adapters.inbox(chosen),
        inbox_errors=adapters.inbox_errors(chosen),
    )
    await opened.blobs.open()
    await opened.index.open()
    for inbox in opened.inboxes:
        await inbox.open()
    return opened


async def close_services(opened: Services) -> None:
    """Let go of what ``open_services`` opened, once no request uses it any more."""
    await opened.background.close()
    for inbox in opened.inboxes:
        await inbox.close()
    await opened.index.close()
    await opened.blobs.close()


def calm_collector() -> None:
    """Have the garbage collector pass over what stays for good, and look at the rest less often.

    A data set is a tree of many small objects, none of them in a cycle: by Python's defaults a header of 100,000
    elements sets off hundreds of collections that find nothing.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


class _Process:
    """This process's services, opened at the first request that asks for them."""

    def __init__(self) -> None:
        self._opened: Services | None = None
        self._audit: Trail | None = None
        self._lock = asyncio.Lock()

    def audit(self) -> Trail:
        """The audit, which needs no other services. Raises StorageError if DICOM_AUDIT names no place for it."""
        if self._audit is None:
            self._audit = Trail(adapters.audit(settings()))
        return self._audit

    async def services(self) -> Services:
        if self._opened is None:
            async with self._lock:
                if self._opened is None:
                    sending.start()
                    self._opened = replace(await open_services(settings()), audit=self.audit())
                    meters.source = Waiting(self._opened).families
                    calm_collector()
        return self._opened

    async def close(self) -> None:
        meters.source = None
        async with self._lock:
            opened, self._opened = self._opened, None
            audit, self._audit = self._audit, None
        if opened is not None:
            await close_services(opened)
        if audit is not None:
            await audit.close()
        await sending.close()


process = _Process()
