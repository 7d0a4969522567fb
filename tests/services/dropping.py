"""Files dropped into an inbox, and what became of them."""

import io
import os
import time
import zipfile
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import orjson
from pydicom.data import get_testdata_file

from shared.services.context import Services
from shared.storage.inbox.port import Inbox
from shared.storage.index.model import InstanceKey
from tests.instances import Identity
from tests.services.storing import PARTITION

OLD_SECONDS = 3600
"""Age of dropped files: nobody is still writing them."""


def media_directory() -> bytes:
    """A DICOMDIR."""
    return Path(get_testdata_file("DICOMDIR")).read_bytes()


async def drop(services: Services, name: str, data: bytes | Iterable[bytes], age: float = OLD_SECONDS) -> None:
    """Put a file into the inbox; its age is made up where a folder is the inbox."""

    async def chunks() -> AsyncIterator[bytes]:
        for chunk in [data] if isinstance(data, bytes) else data:
            yield chunk

    assert services.inbox is not None
    await services.inbox.put(name, chunks())
    if services.inbox.grows:
        let_age(Path(services.settings.inbox or "") / name, age)


def let_age(path: Path, seconds: float) -> None:
    """Have a file look as if it was written so long ago."""
    then = time.time() - seconds
    os.utime(path, (then, then))


async def files(inbox: Inbox | None) -> dict[str, bytes]:
    """Everything in an inbox."""
    assert inbox is not None
    found = {}
    async for file in inbox.files():
        found[file.name] = b"".join([chunk async for chunk in inbox.read(file)])
    return found


async def dropped(services: Services) -> set[str]:
    """The names of what is still in the inbox."""
    return set(await files(services.inbox))


async def failed(services: Services) -> dict[str, bytes]:
    """The files that were set aside."""
    found = await files(services.inbox_errors)
    return {name: data for name, data in found.items() if not name.endswith(".json")}


async def report(services: Services, name: str) -> dict[str, Any]:
    """Why a file was set aside."""
    found = await files(services.inbox_errors)
    told: dict[str, Any] = orjson.loads(found[f"{name}.json"])
    return told


async def stored(services: Services, identity: Identity, partition: str = PARTITION) -> bytes | None:
    """The bytes of an instance, None if it is not stored."""
    key = InstanceKey(partition, identity.study, identity.series, identity.instance)
    found = await services.index.instance(key)
    return None if found is None else b"".join([chunk async for chunk in services.blobs.read(found.blob)])


def zipped(entries: dict[str, bytes] | list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP archive of the entries, in their order."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in entries.items() if isinstance(entries, dict) else entries:
            archive.writestr(name, data)
    return file.getvalue()
