"""Stored files that are gone: the answer says so as long as it can, and nothing else is harmed."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.api.client import DICOM, DICOM_PARTS, OCTET_PARTS, OCTETS, Api
from tests.instances import Identity, dataset, new_identity, new_uid, part10
from tests.server import RunningServer, running

LARGE_SIDE = 1500
"""Of an image larger than what is read in one go."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running(tmp_path_factory.mktemp("missing") / "data", workers=1) as server:
        yield server


@pytest.fixture(scope="module")
def api(server: RunningServer) -> Iterator[Api]:
    with httpx.Client(timeout=30) as client:
        yield Api(client, f"{server.url}/v2")


def blobs(server: RunningServer) -> set[Path]:
    return set((server.data / "blobs").rglob("*.dcm"))


def lose(server: RunningServer, api: Api, identity: Identity, side: int = 16) -> None:
    """Store an instance and remove its file."""
    before = blobs(server)
    api.keep(part10(dataset(identity, side=side, frames=2)))
    (blob,) = blobs(server) - before
    blob.unlink()


@pytest.mark.parametrize("side", [16, LARGE_SIDE])
@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("", DICOM),
        ("", DICOM_PARTS),
        ("", "application/zip"),
        ("/frames/1", OCTETS),
        ("/frames/2", OCTET_PARTS),
        ("/frames/1,2", OCTET_PARTS),
        ("/bulkdata/7FE00010", OCTETS),
        ("/bulkdata/7FE00010", OCTET_PARTS),
        ("/bulkdata", OCTET_PARTS),
        ("/pixeldata", OCTET_PARTS),
    ],
)
def test_an_answer_that_has_not_begun_is_500(
    server: RunningServer, api: Api, path: str, accept: str, side: int
) -> None:
    identity = new_identity()
    lose(server, api, identity, side)
    for answer in (api.get(identity.path + path, accept), api.head(identity.path + path, accept)):
        assert answer.status_code == 500
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert api.metadata(identity.path)


def test_an_answer_under_way_is_broken_off(server: RunningServer, api: Api) -> None:
    study = new_uid()
    api.keep(*(part10(dataset(new_identity(study), side=256)) for _ in range(20)))
    lose(server, api, new_identity(study))
    with pytest.raises(httpx.RemoteProtocolError):
        api.get(f"/studies/{study}", DICOM_PARTS)
    assert "An answer broke off: BlobMissing" in server.log.read_text()
    assert len(api.metadata(f"/studies/{study}")) == 21
