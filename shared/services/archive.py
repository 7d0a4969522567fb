"""Instances as one ZIP file, written while they are read (PS3.18 8.7.3.1, ``application/zip``)."""

import zipfile
from collections.abc import AsyncIterator

from shared.services.retrieve import Content
from shared.storage.index.model import StoredInstance


class _Outlet:
    """A write-only file that hands over what was written to it."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Everything is handed over by ``take`` anyway."""

    def take(self) -> bytes:
        written, self._written = b"".join(self._written), []
        return written


async def archive(files: AsyncIterator[tuple[StoredInstance, Content]]) -> AsyncIterator[bytes]:
    """A ZIP file with each instance stored uncompressed as ``study/series/instance.dcm``."""
    outlet = _Outlet()
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_STORED) as zipped:  # type: ignore[call-overload]
        async for stored, content in files:
            name = f"{stored.key.study}/{stored.key.series}/{stored.key.instance}.dcm"
            with zipped.open(name, "w", force_zip64=True) as entry:
                async for chunk in content:
                    entry.write(chunk)
                    yield outlet.take()
    yield outlet.take()
