"""What the system has in memory is read without waiting; what it has not is left to be read otherwise."""

import os
from pathlib import Path

import pytest

from shared.dicom.model import ByteRange
from shared.storage.blobs.cached_read import open_cached, read_cached, read_ranges_cached

CONTENT = os.urandom(300_000)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "blob"
    path.write_bytes(CONTENT)
    return path


def test_ranges_come_in_the_order_asked_for(file: Path) -> None:
    assert read_ranges_cached(file, [ByteRange(200_000, 10), ByteRange(0, 100_000), ByteRange(7, 0)]) == [
        CONTENT[200_000:200_010],
        CONTENT[:100_000],
        b"",
    ]


def test_a_later_read_leaves_an_earlier_one_as_it_was(file: Path) -> None:
    number = open_cached(file)
    assert number is not None
    try:
        first = read_cached(number, 1000, 0)
        second = read_cached(number, 1000, 1000)
    finally:
        os.close(number)
    assert (first, second) == (CONTENT[:1000], CONTENT[1000:2000])


def test_bytes_beyond_the_end_are_not_made_up(file: Path) -> None:
    assert read_ranges_cached(file, [ByteRange(0, 10), ByteRange(299_999, 2)]) is None


def test_more_than_anyone_should_wait_for_is_left_to_a_thread(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(bytes(2 * 1024 * 1024 + 1))
    assert read_ranges_cached(large, [ByteRange(0, 2 * 1024 * 1024 + 1)]) is None


def test_what_is_not_in_memory_is_left_to_a_thread(file: Path) -> None:
    number = os.open(file, os.O_RDONLY)
    try:
        os.fsync(number)
        os.posix_fadvise(number, 0, 0, os.POSIX_FADV_DONTNEED)
        assert read_cached(number, 1000, 0) == b""
    finally:
        os.close(number)


def test_a_file_that_is_not_there_is_left_to_a_thread(tmp_path: Path) -> None:
    assert open_cached(tmp_path / "missing") is None
