"""Finding what there is to send: files in folders, members of ZIP archives, and which of them are DICOM."""

import io
import lzma
import os
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from local.sending.model import File, Instance, Outcome, Result
from shared.dicom.file_meta import EMPTY_PREAMBLE, lacks_preamble
from shared.dicom.identifiers import trim_uid
from shared.dicom.scanner import Scanner
from shared.errors import InvalidInstance

UNREADABLE = (OSError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)
"""What reading a file or a member of an archive raises; RuntimeError is said of one that is encrypted."""

_HEAD_BYTES = 16 * 1024
_PREFIX = EMPTY_PREAMBLE[128:]
_IDENTIFYING_GROUP = b"\x08\x00"
_SOP_INSTANCE_UID = "00080018"


def find(paths: Iterable[str]) -> Iterator[File | Result]:
    """Every file among the paths, in the folders among them and in ZIP archives; a Result for what can't be sent.

    A folder is entered once, by whatever links it is reached.
    """
    entered: set[tuple[int, int]] = set()
    for path in paths:
        folders: list[str] = []
        yield from _at(path, folders)
        while folders:
            folder = folders.pop()
            try:
                status = os.stat(folder)
                if (status.st_dev, status.st_ino) in entered:
                    continue
                entered.add((status.st_dev, status.st_ino))
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if entry.name.startswith("."):
                            yield Result(_plain(entry.path), Outcome.PASSED_OVER, "It is hidden.")
                        else:
                            yield from _at(entry.path, folders)
            except OSError as error:
                yield Result(_plain(folder), Outcome.FAILED, why_unreadable(error))


def _at(path: str, folders: list[str]) -> Iterator[File | Result]:
    """What is at ``path``; a folder is added to ``folders``."""
    try:
        status = os.stat(path)
    except OSError as error:
        yield Result(_plain(path), Outcome.FAILED, why_unreadable(error))
        return
    file = _plain(path, status.st_size, status.st_mtime_ns)
    if stat.S_ISDIR(status.st_mode):
        folders.append(path)
    elif not stat.S_ISREG(status.st_mode):
        yield Result(file, Outcome.PASSED_OVER, "It is no regular file.")
    elif path.lower().endswith(".zip"):
        yield from _members(file)
    else:
        yield _unless_directory_file(file)


def _plain(path: str, size: int = 0, mark: int = 0) -> File:
    return File(path, size, mark, partial(io.FileIO, path))


def _members(archive: File) -> Iterator[File | Result]:
    """The members of a ZIP archive, which stays open as long as one of them is referred to."""
    try:
        opened = zipfile.ZipFile(archive.name)
    except UNREADABLE as error:
        yield Result(archive, Outcome.FAILED, why_unreadable(error))
        return
    for member in opened.infolist():
        file = File(f"{archive.name}/{member.filename}", member.file_size, member.CRC, partial(opened.open, member))
        if member.is_dir():
            continue
        if any(part.startswith(".") for part in member.filename.split("/")):
            yield Result(file, Outcome.PASSED_OVER, "It is hidden.")
        else:
            yield _unless_directory_file(file)


def _unless_directory_file(file: File) -> File | Result:
    """The file, unless it is the directory of a DICOM medium (PS3.10 8.6)."""
    if os.path.basename(file.name).upper() == "DICOMDIR":
        return Result(file, Outcome.PASSED_OVER, "It is a DICOMDIR, no instance.")
    return file


def inspect(file: File) -> Instance | Result:
    """What a look at its first 16 KiB tells of a file."""
    try:
        with file.open() as stream:
            head = stream.read(_HEAD_BYTES)
    except UNREADABLE as error:
        return Result(file, Outcome.FAILED, why_unreadable(error))
    if _is_dicom(head):
        return Instance(file, _sop_instance_uid(head))
    return Result(file, Outcome.PASSED_OVER, "It is no DICOM file.")


def _is_dicom(head: bytes) -> bool:
    """Whether a file is Part 10 (PS3.10 7.1), or begins as one without its preamble or as a bare data set does."""
    bare = head[:2] == _IDENTIFYING_GROUP and head[3:4] == b"\0"
    return head[128:132] == _PREFIX or lacks_preamble(head) or bare


def _sop_instance_uid(head: bytes) -> str | None:
    scanner = Scanner()
    try:
        scanner.feed(EMPTY_PREAMBLE + head if lacks_preamble(head) else head)
    except InvalidInstance:
        return None
    values = (scanner.header or {}).get(_SOP_INSTANCE_UID, {}).get("Value", [None])
    return trim_uid(values[0]) if isinstance(values[0], str) else None


def batches(found: Iterable[File | Result], files: int, size: int) -> Iterator[list[File | Result]]:
    """What was found in lists of at most ``files`` files and ``size`` bytes; a larger file is alone in its list."""
    batch: list[File | Result] = []
    held = 0
    for each in found:
        weight = each.size if isinstance(each, File) else 0
        if batch and (len(batch) == files or held + weight > size):
            yield batch
            batch, held = [], 0
        batch.append(each)
        held += weight
    if batch:
        yield batch


def requests(instances: Sequence[Instance]) -> list[list[Instance]]:
    """The instances by request, so that the answer tells by UIDs which file it speaks of: one without a UID or with
    that of another goes alone.
    """
    together: dict[str, Instance] = {}
    alone: list[list[Instance]] = []
    for instance in instances:
        if instance.uid is None or instance.uid in together:
            alone.append([instance])
        else:
            together[instance.uid] = instance
    return [*alone, list(together.values())] if together else alone


def why_unreadable(error: Exception) -> str:
    """The reason in a sentence."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"It can't be read: {said or type(error).__name__}."
