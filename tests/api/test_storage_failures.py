"""What clients are told while the folder of blobs is out of order, and that all is well once it is back."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.api.client import DICOM, Api
from tests.api.files import native, without_pixels
from tests.instances import Identity, new_identity
from tests.server import RunningServer, running

PIXELS = bytes(512)


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running(tmp_path_factory.mktemp("fragile") / "data", workers=1) as started:
        yield started


@pytest.fixture
def ward(fragile: RunningServer, http: httpx.Client) -> Api:
    return Api(http, f"{fragile.url}/v2")


@contextmanager
def without_blobs(server: RunningServer) -> Iterator[None]:
    """The folder is elsewhere, and a file in its place."""
    folder = server.data / "blobs"
    away = folder.rename(folder.with_name("away"))
    folder.write_bytes(b"")
    try:
        yield
    finally:
        folder.unlink()
        away.rename(folder)


@pytest.fixture
def kept(ward: Api) -> Identity:
    identity = new_identity()
    ward.keep(native(identity, PIXELS))
    return identity


@pytest.mark.parametrize("form", ["single part", "multipart"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_store_is_503_and_can_be_sent_again(fragile: RunningServer, ward: Api, form: str, method: str) -> None:
    identity = new_identity()
    file = without_pixels(identity)
    send = ward.store_one if form == "single part" else ward.store
    with without_blobs(fragile):
        answer = send(file, method=method)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert answer.json()["detail"] == "Nothing was stored because the storage failed. Send the request again."
        assert ward.get(identity.path).status_code == 404
    assert send(file, method=method).status_code == 200
    assert ward.get(identity.path, DICOM).content == file


@pytest.mark.parametrize("resource", ["", "/frames/1", "/bulkdata/7FE00010", "/bulkdata", "/pixeldata"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_bytes_that_cannot_be_read_are_a_server_error(
    fragile: RunningServer, ward: Api, kept: Identity, resource: str, method: str
) -> None:
    with without_blobs(fragile):
        answer = ward.request(method, kept.path + resource)
        assert answer.status_code in (500, 503)
        assert str(fragile.data) not in answer.text
    assert ward.request(method, kept.path + resource).status_code == 200


def test_what_needs_no_blob_goes_on(fragile: RunningServer, ward: Api, kept: Identity) -> None:
    with without_blobs(fragile):
        assert ward.metadata(kept.path)
        assert ward.search(f"instances?SOPInstanceUID={kept.instance}")
        assert ward.delete(kept.path).status_code == 204
    assert ward.get(kept.path).status_code == 404


def test_the_health_check_tells(fragile: RunningServer, ward: Api) -> None:
    root = Api(ward.http, fragile.url)
    with without_blobs(fragile):
        answer = asked_until(root, 503)
        found = answer.json()
        assert found["overallStatus"] == "Unhealthy"
        assert {detail["name"]: detail["status"] for detail in found["details"]} == {
            "blobs": "Unhealthy",
            "index": "Healthy",
            "audit": "Healthy",
            "inbox": "Healthy",
        }
        assert str(fragile.data) not in answer.text
    assert asked_until(root, 200).json()["overallStatus"] == "Healthy"


def asked_until(root: Api, status: int) -> httpx.Response:
    """The health check once it has this status: it tells what it found out up to a second ago."""
    deadline = time.monotonic() + 10
    while (answer := root.get("/health/check")).status_code != status:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return answer
