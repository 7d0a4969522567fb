"""Uploads: a URL is given, a file is sent there, and in a moment it is found."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.client import DICOM, Api, connection, request_head
from tests.instances import Identity, dataset, new_identity, part10
from tests.server import RunningServer, running
from tests.services.dropping import zipped

IMPORT_SECONDS = 60.0
SHAPE = re.compile(r"uploads/[0-9a-f]{32}(\.[a-z0-9]{1,8})?")


def offered(api: Api, body: bytes = b"") -> dict[str, Any]:
    """An upload as the service offers it."""
    answer = api.http.post(f"{api.base}/uploads", content=body)
    assert answer.status_code == 201, answer.text
    assert answer.headers["content-type"] == "application/json"
    told: dict[str, Any] = answer.json()
    return told


def send(upload: dict[str, Any], file: bytes) -> httpx.Response:
    """Send a file as a client does that knows nothing but the offer."""
    return httpx.request(upload["method"], upload["url"], headers=upload["headers"], content=file, timeout=60)


def appears(api: Api, identity: Identity, file: bytes) -> bool:
    """Whether the import stores a file; waits for that."""
    deadline = time.monotonic() + IMPORT_SECONDS
    while time.monotonic() < deadline:
        answer = api.http.get(f"{api.base}/instances?SOPInstanceUID={identity.instance}")
        if answer.status_code == 200 and answer.json():
            return api.get(identity.path, f"{DICOM}; transfer-syntax=*").content == file
        time.sleep(0.2)
    return False


def test_what_is_offered(api: Api) -> None:
    upload = offered(api)
    assert set(upload) == {"url", "method", "headers", "expires", "name"}
    assert upload["method"] == "PUT"
    assert SHAPE.fullmatch(upload["name"])
    assert upload["name"] in upload["url"]
    left = datetime.fromisoformat(upload["expires"]) - datetime.now(UTC)
    assert timedelta(minutes=55) < left <= timedelta(minutes=60)


def test_a_file_that_is_sent_there_is_imported(api: Api) -> None:
    identity = new_identity()
    file = part10(dataset(identity, side=1500))
    upload = offered(api)
    assert send(upload, file).status_code == 201
    assert appears(api, identity, file)


def test_an_archive_into_a_partition_that_is_new(partition: Api) -> None:
    identity = new_identity()
    file = part10(dataset(identity))
    upload = offered(partition, b'{"fileName": "export.zip"}')
    name = partition.base.rpartition("/")[2]
    assert upload["name"].startswith(f"partitions/{name}/uploads/")
    assert send(upload, zipped({"CT/1": file})).status_code == 201
    assert appears(partition, identity, file)


def test_no_two_names_are_the_same(api: Api) -> None:
    assert len({offered(api)["name"] for _ in range(20)}) == 20


@pytest.mark.parametrize(
    ("body", "extension"),
    [
        (b"{}", ""),
        (b'{"fileName": ""}', ""),
        (b'{"fileName": "SECRET^NAME.DCM", "size": 3}', ".dcm"),
        (b'{"fileName": "SECRET/../x.tar.zip"}', ".zip"),
        (b'{"fileName": "SECRET.a b"}', ""),
        (b'{"fileName": "SECRET.\\u00e4"}', ""),
        (b'{"fileName": "SECRET.abcdefghi"}', ""),
        (b'{"fileName": ".."}', ""),
    ],
)
def test_of_the_name_only_the_extension_is_kept(api: Api, server: RunningServer, body: bytes, extension: str) -> None:
    upload = offered(api, body)
    assert re.fullmatch(r"uploads/[0-9a-f]{32}" + re.escape(extension), upload["name"])
    assert "SECRET" not in server.log.read_text()


@pytest.mark.parametrize("body", [b"[]", b"null", b'"x"', b"{", b"\xff", b'{"fileName": 5}', b'{"fileName": null}'])
def test_a_body_that_is_none(api: Api, body: bytes) -> None:
    answer = api.http.post(f"{api.base}/uploads", content=body)
    assert answer.status_code == 400
    assert "fileName" in answer.json()["detail"]


def test_a_body_that_is_far_too_large(api: Api) -> None:
    answer = api.http.post(f"{api.base}/uploads", content=b" " * 100_000)
    assert answer.status_code == 413
    assert "sent to the URL" in answer.json()["detail"]


def put(api: Api, name: str, file: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
    """Send a file by way of the service, whatever the inbox is."""
    return api.http.put(f"{api.base}/uploads/{name}", content=file, headers=headers)


def own_name(api: Api) -> str:
    return str(offered(api)["name"]).rpartition("/")[2]


def test_the_service_takes_files_itself(partition: Api) -> None:
    identity = new_identity()
    file = part10(dataset(identity, side=1500))
    assert put(partition, own_name(partition), file).status_code == 201
    assert appears(partition, identity, file)


def test_a_name_is_used_once(api: Api) -> None:
    identity, name = new_identity(), own_name(api)
    file = part10(dataset(identity))
    assert put(api, name, file).status_code == 201
    again = put(api, name, b"other content")
    assert again.status_code == 409
    assert again.json()["title"] == "Conflict"
    assert appears(api, identity, file)


@pytest.mark.parametrize(
    "name", ["x", "0" * 31, "g" * 32, "0" * 32 + ".", "0" * 32 + ".tar.gz", "0" * 32 + ".ABC", "..%2Fx"]
)
def test_a_name_that_was_never_given(api: Api, name: str) -> None:
    assert put(api, name, b"x").status_code == 404


def test_compressed_bodies_are_not_taken(api: Api) -> None:
    assert put(api, own_name(api), b"x", {"Content-Encoding": "gzip"}).status_code == 415


def test_a_body_that_breaks_off_leaves_the_name_free(api: Api) -> None:
    identity, name = new_identity(), own_name(api)
    file = part10(dataset(identity))
    path = f"/v2/uploads/{name}"
    with connection(api.base) as opened:
        opened.sendall(request_head("PUT", path, f"Content-Length: {len(file)}") + file[:-10])
    time.sleep(0.5)
    assert put(api, name, file).status_code == 201
    assert appears(api, identity, file)


def test_other_methods_and_paths(api: Api) -> None:
    assert api.http.get(f"{api.base}/uploads").status_code == 405
    assert api.http.post(f"{api.base}/uploads/{'0' * 32}").status_code == 405
    assert api.http.put(f"{api.base}/uploads/a/b").status_code == 404


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory, http: httpx.Client) -> Iterator[Api]:
    """A service that has no inbox."""
    data: Path = tmp_path_factory.mktemp("without") / "data"
    with running(data, workers=1, settings={"DICOM_BLOBS": "memory:"}) as server:
        yield Api(http, f"{server.url}/v2")


def test_without_an_inbox_the_answer_tells_how(without: Api) -> None:
    for answer in (without.http.post(f"{without.base}/uploads"), put(without, "0" * 32, b"x")):
        assert answer.status_code == 404
        assert "DICOM_INBOX" in answer.json()["detail"]


def test_the_limit_of_a_request(tmp_path: Path, http: httpx.Client) -> None:
    with running(tmp_path / "data", workers=1, settings={"DICOM_MAX_REQUEST_BYTES": "1000"}) as server:
        api = Api(http, f"{server.url}/v2")
        refused = put(api, own_name(api), bytes(1001))
        assert refused.status_code == 413
        assert "into the inbox" in refused.json()["detail"]
        assert "instances" not in refused.json()["detail"]
        assert put(api, own_name(api), bytes(1000)).status_code == 201
