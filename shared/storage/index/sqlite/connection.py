"""Opening connections, and what SQLite's errors mean to a caller."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import StorageError

BUSY_TIMEOUT_S = 10.0
WRITER_CACHE_KIB = 64 * 1024
READER_CACHE_KIB = 16 * 1024
CHECKPOINT_PAGES = 4_000
"""Pages (4 KiB) in the write-ahead log at which a commit moves them into the database."""
JOURNAL_BYTES = 64 * 1024 * 1024
"""What the write-ahead log is cut back to when slow reads made it grow beyond."""

_MEANINGS = {
    sqlite3.SQLITE_FULL: "The disk that holds the index is full.",
    sqlite3.SQLITE_BUSY: "The index stayed locked by another process for too long.",
    sqlite3.SQLITE_LOCKED: "The index stayed locked by another process for too long.",
    sqlite3.SQLITE_READONLY: "The index can't be written: its file or folder is read-only.",
    sqlite3.SQLITE_CANTOPEN: "The index can't be opened.",
    sqlite3.SQLITE_PERM: "The index can't be opened.",
    sqlite3.SQLITE_IOERR: "The disk that holds the index failed.",
    sqlite3.SQLITE_CORRUPT: "The index is damaged. It can be rebuilt from the stored files.",
    sqlite3.SQLITE_NOTADB: "The index is damaged or not an index. It can be rebuilt from the stored files.",
}


def connect(path: Path, *, writes: bool) -> sqlite3.Connection:
    """Open a connection that any one thread at a time may use, in autocommit mode. Raises sqlite3.Error."""
    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
        if writes:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            connection.execute(f"PRAGMA journal_size_limit = {JOURNAL_BYTES}")
            connection.execute(f"PRAGMA cache_size = -{WRITER_CACHE_KIB}")
        else:
            connection.execute("PRAGMA query_only = ON")
            connection.execute(f"PRAGMA cache_size = -{READER_CACHE_KIB}")
    except BaseException:
        connection.close()
        raise
    return connection


def make_folder(folder: Path) -> None:
    """Make a folder with the folders above it, so that a power cut does not take them back. Raises OSError."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        above = os.open(made.parent, os.O_RDONLY)
        try:
            os.fsync(above)
        finally:
            os.close(above)


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turn what SQLite raises into StorageError with a sentence for the caller."""
    try:
        yield
    except sqlite3.Error as error:
        raise storage_error(error) from error


def storage_error(error: sqlite3.Error) -> StorageError:
    """What went wrong, for the caller. The text of SQLite's own error may hold values and is not passed on."""
    # the low byte of an extended error code is the primary one
    return StorageError(_MEANINGS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "The index failed."))
