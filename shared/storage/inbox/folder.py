"""An inbox that is a folder, with folders in it.

Whoever may write there may have put links there too: none is followed, so that nothing outside is read or removed.
"""

import asyncio
import contextlib
import os
import secrets
import stat
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import TypeVar

from shared.errors import StorageError
from shared.storage.blobs.partial_file import PartialFile, clear_partials, fsync_folder, publish_alone
from shared.storage.inbox.port import Dropped

T = TypeVar("T")

CHUNK = 1024 * 1024
SLICE = 500
"""Entries of a folder that are looked at in one go."""
PARTIAL = ".partial"
"""The folder of files being written."""
FINDER = ".DS_Store"
"""The one hidden file that is not passed over: it has to be removed."""
EMPTY_SECONDS = 3600
"""A folder that has been empty for so long was emptied by imports, and nobody is copying into it."""


class FolderInbox:
    """An ``Inbox`` over a local folder. Hidden files and folders are not seen. Folders left empty go with time."""

    grows = True

    def __init__(self, root: Path) -> None:
        self._root = root

    async def open(self) -> None:
        await _run(self._open)

    def _open(self) -> None:
        partials = self._root / PARTIAL
        partials.mkdir(parents=True, exist_ok=True)
        clear_partials(partials)

    async def close(self) -> None:
        """Nothing to let go of."""

    async def files(self) -> AsyncIterator[Dropped]:
        folders = [""]
        while folders:
            folder = folders.pop()
            empty = True
            async with _Listing(self._root, folder) as listing:
                async for subfolders, found in listing:
                    empty = False
                    folders += subfolders
                    for file in found:
                        yield file
            if empty and folder:
                await _run(self._remove_emptied, folder)

    def _remove_emptied(self, folder: str) -> None:
        with contextlib.suppress(OSError), _parent(self._root, folder) as (parent, name):
            found = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if found.st_mtime < time.time() - EMPTY_SECONDS:
                os.rmdir(name, dir_fd=parent)

    async def find(self, name: str) -> Dropped | None:
        return await _run(self._find, name)

    def _find(self, name: str) -> Dropped | None:
        try:
            with _parent(self._root, name) as (parent, last):
                found = os.stat(last, dir_fd=parent, follow_symlinks=False)
        except (OSError, ValueError):
            return None
        return _dropped(name, found) if stat.S_ISREG(found.st_mode) else None

    async def read(self, file: Dropped) -> AsyncIterator[bytes]:
        handle = await _run(self._open_file, file)
        try:
            position = 0
            while position < file.length:
                chunk = await _run(os.pread, handle, min(CHUNK, file.length - position), position)
                if not chunk:
                    raise _changed()
                position += len(chunk)
                yield chunk
        finally:
            os.close(handle)

    def _open_file(self, file: Dropped) -> int:
        with _parent(self._root, file.name) as (parent, last):
            handle = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent)
        if _dropped(file.name, os.fstat(handle)) != file:
            os.close(handle)
            raise _changed()
        return handle

    async def put(self, name: str, chunks: AsyncIterator[bytes]) -> int:
        path = self._root.joinpath(*await _run(_segments, name))
        partial = self._root / PARTIAL / secrets.token_hex(16)
        await _run(self._make_folder, partial.parent)
        file = PartialFile(path, partial, self._make_folder)
        length = await file.receive(chunks, _run)
        await _run(publish_alone, file)
        return length

    def _make_folder(self, folder: Path) -> None:
        """Create the folder with every missing parent, each made durable in its own parent."""
        self._root.mkdir(parents=True, exist_ok=True)
        if not folder.is_dir():
            self._make_folder(folder.parent)
            folder.mkdir(exist_ok=True)
            fsync_folder(folder.parent)
        if not folder.resolve().is_relative_to(self._root.resolve()):
            raise StorageError("The inbox holds a link to a folder outside.")

    async def remove(self, file: Dropped) -> None:
        await _run(self._remove, file)

    def _remove(self, file: Dropped) -> None:
        if self._find(file.name) == file:
            with contextlib.suppress(FileNotFoundError), _parent(self._root, file.name) as (parent, last):
                os.unlink(last, dir_fd=parent)

    async def upload_url(self, name: str, lifetime: timedelta) -> str | None:
        return None


class _Listing:
    """The entries of one folder, slice by slice: folders by name, and files. Nothing if it is gone."""

    def __init__(self, root: Path, folder: str) -> None:
        self._root = root
        self._folder = folder
        self._entries: Iterator[os.DirEntry[str]] = iter(())
        self._opened = contextlib.ExitStack()

    async def __aenter__(self) -> "_Listing":
        await _run(self._open)
        return self

    def _open(self) -> None:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            handle = _open_folder(self._root, _segments(self._folder) if self._folder else [])
            self._opened.callback(os.close, handle)
            self._entries = self._opened.enter_context(os.scandir(handle))

    async def __aexit__(self, *_: object) -> None:
        self._opened.close()

    async def __aiter__(self) -> AsyncIterator[tuple[list[str], list[Dropped]]]:
        while entries := await _run(lambda: list(islice(self._entries, SLICE))):
            yield await _run(self._sort, entries)

    def _sort(self, entries: list[os.DirEntry[str]]) -> tuple[list[str], list[Dropped]]:
        folders, files = [], []
        for entry in entries:
            name = f"{self._folder}/{entry.name}" if self._folder else entry.name
            if entry.name.startswith(".") and entry.name != FINDER:
                continue
            with contextlib.suppress(FileNotFoundError):
                if entry.is_dir(follow_symlinks=False):
                    folders.append(name)
                elif entry.is_file(follow_symlinks=False):
                    files.append(_dropped(name, entry.stat(follow_symlinks=False)))
        return folders, files


async def _run(call: Callable[..., T], *args: object) -> T:
    try:
        return await asyncio.to_thread(call, *args)
    except OSError as error:
        raise StorageError(f"The inbox folder failed: {error.strerror}.") from error


def _dropped(name: str, found: os.stat_result) -> Dropped:
    """``changed`` is the earlier of two times: a copy may bring its own along, even one to come."""
    changed = min(found.st_mtime, found.st_ctime)
    return Dropped(name, found.st_size, changed, f"{found.st_ino}-{found.st_size}-{found.st_mtime_ns}")


def _segments(name: str) -> list[str]:
    """The parts of a name that are safe as a path. Raises FileNotFoundError for a name that leads elsewhere."""
    segments = name.split("/")
    if any(segment in ("", ".", "..") for segment in segments):
        raise FileNotFoundError(2, "No such name within the inbox")
    return segments


@contextlib.contextmanager
def _parent(root: Path, name: str) -> Iterator[tuple[int, str]]:
    """A handle of the folder that a name is in, and its last part."""
    *folders, last = _segments(name)
    handle = _open_folder(root, folders)
    try:
        yield handle, last
    finally:
        os.close(handle)


def _open_folder(root: Path, folders: list[str]) -> int:
    """A handle of a folder below the root, come by without following any link."""
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for folder in folders:
        try:
            below = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
        finally:
            os.close(handle)
        handle = below
    return handle


def _changed() -> StorageError:
    return StorageError("A dropped file changed while it was read.")
