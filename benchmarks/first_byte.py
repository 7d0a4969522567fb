"""How long a client waits for the first byte of a large study."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.data import Slice, Template
from benchmarks.measuring import percentile, store_one
from benchmarks.servers import Server, this_service
from benchmarks.works import GZIP, INSTANCES
from benchmarks.writing import Writers

BAR_SECONDS = 0.05
TOGETHER = 20
_STUDY = 800_000
PATHS: dict[str, tuple[str, Mapping[str, str]]] = {
    "metadata": ("/metadata", GZIP),
    "retrieve, transfer-syntax=*": ("", INSTANCES),
    "retrieve, Explicit VR Little Endian": ("", {"Accept": 'multipart/related; type="application/dicom"'}),
}


@dataclass(frozen=True, slots=True)
class Waited:
    """Seconds to the first byte of the body: of the first requests after starts, with no file in the system's memory,
    and of later ones, before each of which the archive was changed. ``whole`` is the median of the last byte."""

    name: str
    first: Sequence[float]
    later: Sequence[float]
    whole: float

    @property
    def met(self) -> bool:
        return max(percentile(self.first, 0.5), percentile(self.later, 0.5)) < BAR_SECONDS


def wait(folder: Path, instances: int, starts: int, requests: int) -> list[Waited]:
    """Store a study of so many instances, then ask for it after each start and some times more."""
    with this_service(folder) as server:
        slices = [Slice(_STUDY, number) for number in range(instances)]
        groups = (slices[start : start + TOGETHER] for start in range(0, instances, TOGETHER))
        Writers(server.url).store(Template(128), groups)
    return [_wait(folder, name, starts, requests) for name in PATHS]


def _wait(folder: Path, name: str, starts: int, requests: int) -> Waited:
    path, headers = PATHS[name]
    first, later, whole = list[float](), list[float](), list[float]()
    for _ in range(starts):
        with this_service(folder) as server:
            _forget(folder)
            first.append(_ask(server, path, headers)[0])
            for _ in range(requests // starts):
                store_one(server)
                begun, ended = _ask(server, path, headers)
                later.append(begun)
                whole.append(ended)
    return Waited(name, first, later, percentile(whole, 0.5))


def _ask(server: Server, path: str, headers: Mapping[str, str]) -> tuple[float, float]:
    """Seconds to the first and the last byte of the body. Raises RuntimeError if there is none."""
    url = urlsplit(server.url)
    connection = HTTPConnection(url.hostname or "", url.port)
    connection.connect()
    began = time.perf_counter()
    connection.request("GET", f"{url.path}/studies/{Slice(_STUDY, 0).study_uid}{path}", headers=dict(headers))
    answer = connection.getresponse()
    if answer.status != 200 or not answer.read(1):
        raise RuntimeError(f"The large study was answered {answer.status}.")
    begun = time.perf_counter() - began
    while answer.read(1024 * 1024):
        continue
    ended = time.perf_counter() - began
    connection.close()
    return begun, ended


def _forget(folder: Path) -> None:
    """Have the system drop what it holds of the files in a folder."""
    os.sync()
    for file in folder.rglob("*"):
        if file.is_file():
            descriptor = os.open(file, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)
