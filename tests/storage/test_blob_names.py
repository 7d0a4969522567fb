"""Names of blobs say what they are."""

from collections import Counter

import pytest

from shared.storage.blobs.names import FOLDERS, InstanceBlob, folder
from shared.storage.index.port import CommitMode
from shared.storage.versions import new_version


@pytest.mark.parametrize("mode", CommitMode)
@pytest.mark.parametrize("api_version", [1, 2])
@pytest.mark.parametrize("partition", ["Microsoft.Default", "a", ".b-_9"])
def test_a_name_reads_back_as_it_was_made(mode: CommitMode, api_version: int, partition: str) -> None:
    blob = InstanceBlob(partition, new_version(), mode, api_version)
    assert InstanceBlob.parse(blob.name) == blob


@pytest.mark.parametrize("name", ["~health/1", "p/00/x.c2.dcm", "p/00/1.c3.dcm", "p/00/1.c2.dcm.partial", "p/1.c2.dcm"])
def test_other_blobs_are_no_instances(name: str) -> None:
    assert InstanceBlob.parse(name) is None


@pytest.mark.parametrize("step", [1 << 26, 1 << 27, 1 << 32])
def test_versions_are_spread_over_all_folders(step: int) -> None:
    start = new_version()
    counted = Counter(folder("p", start + number * step) for number in range(FOLDERS * 40))
    assert len(counted) == FOLDERS
    assert max(counted.values()) < 120


def test_versions_of_a_moment_share_a_folder() -> None:
    start = new_version() >> 26 << 26
    assert len({folder("p", start + number) for number in range(0, 1 << 26, 1 << 18)}) == 1
