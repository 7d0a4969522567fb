"""What the machine itself can do: nothing here can be faster than that."""

import os
import socket
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks import floor
from benchmarks.measuring import measured_stores
from benchmarks.reading import read
from benchmarks.servers import Server

CHUNK = bytes(range(256)) * 4096
"""1 MiB."""
HALF = CHUNK[: 512 * 1024]
FILES_ONE = "files of 512 KiB written and fsynced, 1 writer"
FILES_EIGHT = "files of 512 KiB written and fsynced, 8 writers"
SMALL_FILES_EIGHT = "files of 32 KiB written and fsynced, 8 writers"
EMPTY_ANSWERS = "empty answers of the same HTTP server, 8 connections"
HALF_ANSWERS = "answers of 512 KiB of the same HTTP server, 8 connections"
STORES = "stores of 512² by the same HTTP server into the same kind of folder, nothing read or indexed, 8 connections"
SMALL_STORES = "the same of 128², ten a request"
COMMITS = "commits of a row to SQLite, durable"
LOOPBACK = "bytes through one loopback connection"
MEMORY = "bytes copied in memory"


@dataclass(frozen=True, slots=True)
class Limit:
    """So many a second."""

    name: str
    rate: float
    unit: str = "1/s"

    @property
    def told(self) -> str:
        return f"{self.rate / 1e9:.1f} GB/s" if self.unit == "B/s" else f"{self.rate:,.0f} {self.unit}"


def limits(folder: Path, seconds: float) -> list[Limit]:
    """Each measured over some seconds. Its files stay in ``folder``: ext4 passes over the inodes that were deleted in
    the minutes before when it makes new ones, which would be measured with whatever comes next."""
    folder.mkdir(parents=True, exist_ok=True)
    with floor.server(folder / "floor") as origin:
        empty, half = (read(origin, [path], {}, max(1.0, seconds)) for path in (floor.EMPTY, floor.HALF))
        large, small = (_stores(origin, side, together, seconds) for side, together in ((512, 1), (128, 10)))
    return [
        Limit(STORES, large),
        Limit(SMALL_STORES, small),
        Limit(FILES_ONE, _files(folder, HALF, 1, seconds)),
        Limit(FILES_EIGHT, _files(folder, HALF, 8, seconds)),
        Limit(SMALL_FILES_EIGHT, _files(folder, CHUNK[: 32 * 1024], 8, seconds)),
        Limit(COMMITS, _commits(folder, seconds)),
        Limit(EMPTY_ANSWERS, empty.requests / empty.seconds),
        Limit(HALF_ANSWERS, half.requests / half.seconds),
        Limit(LOOPBACK, _loopback(seconds), "B/s"),
        Limit(MEMORY, _memory(seconds), "B/s"),
    ]


def _stores(origin: str, side: int, together: int, seconds: float) -> float:
    server = Server("floor", f"{origin}/{together}")
    measured_stores(server, side, together, 1.0)  # the folders are new
    return measured_stores(server, side, together, max(1.0, seconds)).rate


def _rate(work: Callable[[], object], seconds: float) -> float:
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        work()
        count += 1
    return count / (time.perf_counter() - began)


def _files(folder: Path, content: bytes, writers: int, seconds: float) -> float:
    scratch = tempfile.mkdtemp(dir=folder)
    with ThreadPoolExecutor(writers) as threads:
        names = (f"{scratch}/{writer}-" for writer in range(writers))
        return sum(threads.map(lambda name: _rate(_Writer(name, content), seconds), names))


class _Writer:
    """Writes a file more at each call, and waits until it is on the disk."""

    def __init__(self, name: str, content: bytes) -> None:
        self._name = name
        self._content = content
        self._number = 0

    def __call__(self) -> None:
        self._number += 1
        file = os.open(f"{self._name}{self._number}", os.O_CREAT | os.O_WRONLY)
        os.write(file, self._content)
        os.fsync(file)
        os.close(file)


def _commits(folder: Path, seconds: float) -> float:
    with closing(_database(f"{tempfile.mkdtemp(dir=folder)}/sqlite")) as database:
        return _rate(lambda: database.execute("INSERT INTO rows VALUES (zeroblob(3000))"), seconds)


def _database(file: str) -> sqlite3.Connection:
    database = sqlite3.connect(file, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE rows (content BLOB)")
    return database


def _loopback(seconds: float) -> float:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sender = threading.Thread(target=_send, args=(listener, seconds))
        sender.start()
        received, buffer, began = 0, bytearray(1024 * 1024), time.perf_counter()
        with socket.create_connection(listener.getsockname()) as connection:
            while size := connection.recv_into(buffer):
                received += size
        taken = time.perf_counter() - began
        sender.join()
    return received / taken


def _send(listener: socket.socket, seconds: float) -> None:
    connection, _ = listener.accept()
    end = time.perf_counter() + seconds
    with connection:
        while time.perf_counter() < end:
            connection.sendall(CHUNK)


def _memory(seconds: float) -> float:
    source, target = CHUNK * 64, bytearray(len(CHUNK) * 64)

    def copy() -> None:
        target[:] = source

    return _rate(copy, seconds) * len(source)
