"""Taking stored blobs into the index once more: what ``rebuild`` does with all, ``reconcile`` with strays."""

from dataclasses import dataclass

from shared.dicom.scanner import Scanner
from shared.errors import InvalidInstance
from shared.services.aside import put_aside
from shared.services.context import Services
from shared.services.indexing import Draft
from shared.services.records import Refused, admit
from shared.storage.blobs.names import InstanceBlob


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A blob that can't be indexed, and why, without any value of its data set."""

    name: str
    reason: str


async def draft(services: Services, blob: InstanceBlob) -> Draft | Unreadable:
    """The record that storing the blob's bytes makes, by the rules of the API version they were stored under.

    Extended query tags don't count: what was stored before one was added is not refused for it.
    """
    scanner = Scanner()
    try:
        async for chunk in services.blobs.read(blob.name):
            scanner.feed(chunk)
        part10 = scanner.finish()
        admission = admit(part10, None, blob.api_version)
    except InvalidInstance as error:
        return Unreadable(blob.name, error.detail)
    except Refused as refused:
        return Unreadable(blob.name, " ".join(refused.failure.comments))
    record = admission.record(blob.partition, blob.version, blob.name, part10)
    return Draft(await put_aside(services.blobs, record))
