"""Blobs as files under one folder, durable when a put returns: file and directory are fsynced."""

import asyncio
import contextlib
import os
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import ParamSpec, TypeVar

from shared.dicom.model import ByteRange, Chunk
from shared.errors import BlobMissing, StorageError
from shared.storage.blobs.cached_read import open_cached, read_cached, read_ranges_cached
from shared.storage.blobs.partial_file import PartialFile, clear_partials, fsync_folder
from shared.storage.blobs.probe import write_and_read
from shared.storage.blobs.publisher import Publisher

P = ParamSpec("P")
T = TypeVar("T")

CHUNK = 128 * 1024
"""Bytes read at a time: what fits into a processor's own cache is sent on much faster than what has left it."""
OPENED_AHEAD = 16
"""Files that are open while one after the other is read."""
READ_AHEAD = 512 * 1024
"""Bytes of each that the system is asked to have in memory by then."""
KNOWN_FOLDERS = 4096
"""Folders that are remembered to exist."""
PARTIAL = "~partial"
"""The folder of blobs being written; no partition can have that name."""


class FolderBlobs:
    """A ``BlobStore`` over a local folder. A blob gets its name once it is whole and durable."""

    def __init__(self, root: Path, threads: int = 16) -> None:
        self._root = root
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="blobs")
        self._publisher = Publisher()
        self._folders: set[Path] = set()
        self._partials = map(f"{secrets.token_hex(16)}.{{}}".format, count())

    async def open(self) -> None:
        await self._run(self._open)
        self._publisher.start()

    def _open(self) -> None:
        partials = self._root / PARTIAL
        partials.mkdir(parents=True, exist_ok=True)
        clear_partials(partials)

    async def close(self) -> None:
        self._publisher.stop()
        self._pool.shutdown(wait=True)

    async def check(self) -> None:
        await write_and_read(self)

    async def put(self, name: str, chunks: AsyncIterator[Chunk]) -> int:
        file = PartialFile(self._root / name, self._root / PARTIAL / next(self._partials), self._make_folder)
        length = await file.receive(chunks, self._run)
        with _storage_errors():
            await self._publisher.publish(file)
        return length

    async def read(self, name: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        path = self._root / name
        file = open_cached(path)
        if file is None:
            (file,) = await self._run(_open_all, [path])
        try:
            async for chunk in self._contents(file, offset, length):
                yield chunk
        finally:
            os.close(file)

    async def read_in_turn(self, blobs: AsyncIterator[tuple[str, int]]) -> AsyncIterator[AsyncIterator[bytes]]:
        """The files of a group are opened at once, which lets the system read them ahead."""
        async for group in _groups(blobs):
            files = deque(await self._run(_open_all, [self._root / name for name, _ in group]))
            try:
                for _, length in group:
                    yield self._contents(files[0], 0, length)
                    os.close(files.popleft())
            finally:
                for file in files:
                    os.close(file)

    async def _contents(self, file: int, offset: int, length: int | None) -> AsyncIterator[bytes]:
        left = os.fstat(file).st_size - offset if length is None else length
        while left > 0:
            size = min(left, CHUNK)
            chunk = read_cached(file, size, offset) or await self._run(os.pread, file, size, offset)
            if not chunk:
                raise BlobMissing("A stored file is shorter than the index says.")
            offset += len(chunk)
            left -= len(chunk)
            yield chunk

    async def read_ranges(self, name: str, ranges: Sequence[ByteRange]) -> list[bytes]:
        path = self._root / name
        found = read_ranges_cached(path, ranges)
        return await self._run(_read_ranges, path, ranges) if found is None else found

    async def delete(self, name: str) -> None:
        await self._run(_remove, self._root / name)

    async def names(self, prefix: str = "") -> AsyncIterator[tuple[str, float]]:
        folders = [self._root / prefix.rpartition("/")[0]]
        while folders:
            subfolders, found = await self._run(self._scan, folders.pop())
            folders.extend(subfolders)
            for name, created in found:
                if name.startswith(prefix):
                    yield name, created

    async def _run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        with _storage_errors():
            return await loop.run_in_executor(self._pool, lambda: call(*args, **kwargs))

    def _make_folder(self, folder: Path) -> None:
        """Create the folder with every missing parent, each made durable in its own parent."""
        if folder in self._folders:
            return
        if folder != self._root:
            self._make_folder(folder.parent)
            folder.mkdir(exist_ok=True)
            fsync_folder(folder.parent)
        if len(self._folders) >= KNOWN_FOLDERS:
            self._folders.clear()
        self._folders.add(folder)

    def _scan(self, folder: Path) -> tuple[list[Path], list[tuple[str, float]]]:
        subfolders, found = [], []
        with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir():
                    if entry.name != PARTIAL:
                        subfolders.append(Path(entry.path))
                    continue
                name = Path(entry.path).relative_to(self._root).as_posix()
                with contextlib.suppress(FileNotFoundError):
                    found.append((name, entry.stat().st_mtime))
        return subfolders, found


@contextlib.contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"The blob folder failed: {error.strerror}.") from error


async def _groups(blobs: AsyncIterator[tuple[str, int]]) -> AsyncIterator[list[tuple[str, int]]]:
    group = []
    async for blob in blobs:
        group.append(blob)
        if len(group) == OPENED_AHEAD:
            yield group
            group = []
    if group:
        yield group


def _open_all(paths: Sequence[Path]) -> list[int]:
    """Open files, or none if one is missing; the system is told that they are about to be read."""
    with contextlib.ExitStack() as opened:
        files = []
        for path in paths:
            files += [_open(path)]
            opened.callback(os.close, files[-1])
            os.posix_fadvise(files[-1], 0, READ_AHEAD, os.POSIX_FADV_WILLNEED)
        opened.pop_all()
    return files


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY)
    except FileNotFoundError as error:
        raise BlobMissing("The stored file of an indexed instance is missing.") from error


def _read_ranges(path: Path, ranges: Sequence[ByteRange]) -> list[bytes]:
    file = _open(path)
    try:
        found = [_pread_all(file, part) for part in ranges]
    finally:
        os.close(file)
    return found


def _pread_all(file: int, part: ByteRange) -> bytes:
    data = os.pread(file, part.length, part.offset)
    while len(data) < part.length:
        more = os.pread(file, part.length - len(data), part.offset + len(data))
        if not more:
            raise BlobMissing("A stored file is shorter than the index says.")
        data += more
    return data


def _remove(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
