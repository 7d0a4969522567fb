"""What the machine itself can do: nothing here can be faster than that."""

import os
import socket
import tempfile
import threading
import time
from pathlib import Path

CHUNK = bytes(range(256)) * 4096
"""1 MiB."""
HALF = CHUNK[: 512 * 1024]


def limits(folder: Path, seconds: float) -> dict[str, tuple[float, str]]:
    """Each limit's name with its figure and unit, measured over some seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "files of 512 KiB written and fsynced, one after the other": (_files(folder, seconds), "1/s"),
        "fsyncs of 4 KiB appended to one file": (_appends(folder, seconds), "1/s"),
        "bytes through one loopback connection": (_loopback(seconds) / 1e9, "GB/s"),
        "bytes copied in memory": (_memory(seconds) / 1e9, "GB/s"),
    }


def _files(folder: Path, seconds: float) -> float:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            file = os.open(f"{scratch}/{count}", os.O_CREAT | os.O_WRONLY)
            os.write(file, HALF)
            os.fsync(file)
            os.close(file)
            count += 1
        return count / (time.perf_counter() - began)


def _appends(folder: Path, seconds: float) -> float:
    with tempfile.NamedTemporaryFile(dir=folder) as scratch:
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            os.write(scratch.fileno(), CHUNK[:4096])
            os.fsync(scratch.fileno())
            count += 1
        return count / (time.perf_counter() - began)


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
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        target[:] = source
        count += 1
    return count * len(source) / (time.perf_counter() - began)
