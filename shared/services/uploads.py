"""Files too large for a request to the service: they are uploaded into the inbox, under a name of their own."""

import re
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

from shared.errors import BlobExists, Conflict, NotFound
from shared.services.context import Services
from shared.services.inbox_names import name_within
from shared.storage.inbox.port import Inbox

LIFETIME = timedelta(hours=1)
FOLDER = "uploads"

_NAME = re.compile(r"[0-9a-f]{32}(?:\.[a-z0-9]{1,8})?")
_EXTENSION = re.compile(r".*(\.[a-z0-9]{1,8})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Upload:
    """Where one file may be written. ``path`` is its name in the inbox, ``name`` the last part of that.

    ``url`` is None where the service itself takes the file. ``expires`` is in microseconds since the epoch.
    """

    path: str
    name: str
    url: str | None
    expires: int


async def offer(services: Services, partition: str, file_name: str) -> Upload:
    """A place for a file that is to be imported into a data partition. Raises NotFound without an inbox.

    Its name can't be guessed. Nothing of ``file_name`` goes into it but the extension: URLs are logged, and names
    of files may be those of patients.
    """
    inbox = _inbox(services)
    extension = _EXTENSION.fullmatch(file_name.lower())
    name = secrets.token_hex(16) + (extension[1] if extension else "")
    path = _path(partition, name)
    expires = int((time.time() + LIFETIME.total_seconds()) * 1_000_000)
    return Upload(path, name, await inbox.upload_url(path, LIFETIME), expires)


async def receive(services: Services, partition: str, name: str, chunks: AsyncIterator[bytes]) -> None:
    """Take a file at the place that ``offer`` named; durable when this returns.

    Raises NotFound for a place that it can't have named, Conflict if a file lies there.
    """
    inbox = _inbox(services)
    if not _NAME.fullmatch(name):
        raise NotFound("There is no such upload. A POST to /uploads gives the URL for one.")
    try:
        await inbox.put(_path(partition, name), chunks)
    except BlobExists:
        raise Conflict("A file has been uploaded to this URL already. A POST to /uploads gives another.") from None


def _inbox(services: Services) -> Inbox:
    if services.inbox is None:
        raise NotFound("This service imports no files: its setting DICOM_INBOX names no inbox.")
    return services.inbox


def _path(partition: str, name: str) -> str:
    return name_within(partition, f"{FOLDER}/{name}")
