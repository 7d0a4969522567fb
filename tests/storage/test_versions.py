"""Versions are unique and grow."""

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from multiprocessing import get_context

import pytest

from shared.storage import versions
from shared.storage.versions import made_at, new_version


def many(count: int) -> list[int]:
    return [new_version() for _ in range(count)]


def test_versions_are_positive_numbers_of_63_bits_that_grow() -> None:
    found = many(50_000)
    assert all(0 < version < 2**63 for version in found)
    assert all(one < other for one, other in pairwise(found))


def test_versions_grow_with_time() -> None:
    fresh = versions._Versions()
    before = fresh.next()
    time.sleep(0.01)
    passed = (fresh.next() >> 22) - (before >> 22)
    assert 10 <= passed < 1000


def test_a_version_tells_when_it_was_made() -> None:
    before = time.time_ns() // 1_000_000
    version = versions._Versions().next()
    after = time.time_ns() // 1_000_000
    assert before * 1_000 <= made_at(version) <= after * 1_000
    assert made_at(version) % 1_000 == 0
    assert made_at(7) == 1_704_067_200_000_000


def test_a_clock_that_goes_back_gives_no_version_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    found = many(10)
    monkeypatch.setattr(versions.time, "time_ns", lambda: 1_704_067_200_000_000_000)
    found += many(1000)
    assert found == sorted(set(found))


def test_threads_get_different_versions() -> None:
    with ThreadPoolExecutor(8) as threads:
        found = [version for batch in threads.map(many, [5_000] * 8) for version in batch]
    assert len(set(found)) == 40_000


def test_processes_get_different_versions() -> None:
    with get_context("spawn").Pool(2) as processes:
        found = [version for batch in processes.map(many, [20_000] * 4, chunksize=1) for version in batch]
    assert len(set(found)) == 80_000
