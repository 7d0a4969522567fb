"""Nothing that a request names leads out of the service: not to other files, not to other hosts."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.api.client import BOUNDARY, DICOM, DICOM_JSON, DICOM_PARTS, DICOM_XML, Api, exchange, request_head
from tests.api.files import without_pixels
from tests.api.test_store_metadata_bulk import metadata, send, send_parts
from tests.instances import Identity, new_identity
from tests.server import RunningServer, running

CANARY = b"Whoever reads this has come too far."
UP = ["..", "%2e%2e", ".%2e", "%2E.", "..%2f", "%2e%2e%2f", "..%5c", "..%c0%af", "%252e%252e", "..%00", "%00", "..;"]
TEMPLATES = [
    "/{up}/{up}/{up}/canary.txt",
    "/v2/studies/{up}/{up}/{up}/{up}/canary.txt",
    "/v2/studies/1.2/series/{up}/{up}/canary.txt",
    "/v2/partitions/{up}/studies",
    "/v2/partitions/{up}/studies/1.2",
    "/v2/partitions/{up}%2f{up}%2fcanary.txt/studies",
    "/v2/studies/1.2/series/1.2/instances/{up}/bulkdata/{up}/{up}/canary.txt",
    "/v2/studies/1.2/series/1.2/instances/1.2/bulkdata/{up}/canary.txt",
    "/v2/studies/1.2/series/1.2/instances/1.2/frames/{up}",
    "/v2/uploads/{up}",
    "/v2/uploads/{up}%2f{up}%2fcanary.txt",
    "/v2/partitions/a/uploads/{up}",
    "/v2/operations/{up}",
    "/v2/extendedquerytags/{up}",
    "//{up}/canary.txt",
    "/{up}\\canary.txt",
]


@pytest.fixture(scope="module")
def fenced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server whose data folder has neighbours."""
    root = tmp_path_factory.mktemp("canary")
    (root / "canary.txt").write_bytes(CANARY)
    (root / "deep").mkdir()
    with running(root / "deep" / "data", workers=1) as started:
        yield started


@pytest.fixture
def inside(fenced: RunningServer, http: httpx.Client) -> Api:
    return Api(http, f"{fenced.url}/v2")


def neighbours(server: RunningServer) -> set[Path]:
    root = server.data.parent.parent
    return {path for path in root.rglob("*") if not path.is_relative_to(server.data)}


@pytest.mark.parametrize("template", TEMPLATES)
def test_paths_lead_nowhere_else(fenced: RunningServer, inside: Api, template: str) -> None:
    before = neighbours(fenced)
    for up in UP:
        for method in ("GET", "PUT", "DELETE"):
            head = request_head(method, template.format(up=up), f"Content-Type: {DICOM}", "Content-Length: 0")
            answer = exchange(inside.base, head)
            assert answer.status in (400, 404, 405, 409), (method, up)
            assert CANARY not in answer.body
    assert neighbours(fenced) == before
    assert (fenced.data.parent.parent / "canary.txt").read_bytes() == CANARY


@pytest.mark.parametrize(
    "up", ["..", ".", "%2e%2e", "%2E", "..%2f..", "a%2fb", "a%5cb", "%00", "a%00b", "~partial", ""]
)
def test_a_store_makes_no_partition_elsewhere(fenced: RunningServer, inside: Api, up: str) -> None:
    before = neighbours(fenced), set(fenced.data.joinpath("blobs").iterdir())
    body = without_pixels()
    head = request_head(
        "POST", f"/v2/partitions/{up}/studies", f"Content-Type: {DICOM}", f"Content-Length: {len(body)}"
    )
    assert exchange(inside.base, head + body).status in (400, 404)
    assert (neighbours(fenced), set(fenced.data.joinpath("blobs").iterdir())) == before


@pytest.mark.parametrize(
    "name", ["../../canary.txt", "/etc/passwd", "..\\canary.txt", "a\0.dcm", "x/../../y.zip", ".."]
)
def test_names_of_uploads_are_the_services_own(fenced: RunningServer, inside: Api, name: str) -> None:
    before = neighbours(fenced)
    answer = inside.request("POST", "/uploads", content=json.dumps({"fileName": name}))
    assert answer.status_code == 201
    url = answer.json()["url"]
    assert url.startswith(f"{inside.base}/uploads/")
    assert url.count("/") == inside.base.count("/") + 2
    assert ".." not in url
    assert inside.http.put(url, content=without_pixels()).status_code == 201
    assert neighbours(fenced) == before


class Listener:
    """A host that the service could reach, and must not."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"

    def was_called(self) -> bool:
        try:
            self._socket.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    assert not made.was_called()
    made.close()


def test_the_listener_hears_who_calls() -> None:
    made = Listener()
    assert not made.was_called()
    with socket.create_connection(("127.0.0.1", int(made.address.partition(":")[2]))):
        assert made.was_called()
    made.close()


URIS = [
    "http://{}/bulk",
    "https://{}/bulk",
    "HTTP://{}/bulk",
    "//{}/bulk",
    "\\\\{}\\bulk",
    "http://user@{}/bulk",
    "ftp://{}/bulk",
    "gopher://{}/bulk",
    "jar:http://{}/a!/b",
    "file:///etc/hostname",
    "file://{}/etc/hostname",
    "/etc/hostname",
    "../../../etc/hostname",
]


@pytest.mark.parametrize("uri", URIS)
@pytest.mark.parametrize("form", [DICOM_JSON, DICOM_XML])
def test_bulk_data_are_never_fetched(inside: Api, listener: Listener, uri: str, form: str) -> None:
    identity = new_identity()
    pointing = metadata(identity, t00420011={"vr": "OB", "BulkDataURI": uri.format(listener.address)})
    assert send(inside, [pointing], form=form).status_code == 409
    assert inside.get(identity.path).status_code == 404


def test_nor_are_locations_of_parts(inside: Api, listener: Listener) -> None:
    """They only say which bulk data a part is."""
    identity = new_identity()
    uri = f"http://{listener.address}/bulk"
    pointing = metadata(identity, t00420011={"vr": "OB", "BulkDataURI": uri})
    assert send(inside, [pointing], ("application/octet-stream", uri, b"given" * 1000)).status_code == 200
    assert inside.get(f"{identity.path}/bulkdata/00420011", "application/octet-stream").content == b"given" * 1000


def test_nor_what_instances_refer_to(inside: Api, listener: Listener) -> None:
    """Retrieve URL, Referenced... and the like are text."""
    identity = new_identity()
    url = {"vr": "UR", "Value": [f"http://{listener.address}/x"]}
    inside_of_it = metadata(identity, t00081190=url, t0040E010=url, t00081160={"vr": "IS", "Value": ["1"]})
    assert send(inside, [inside_of_it]).status_code in (200, 202)
    for path in (identity.path, f"{identity.path}/metadata", f"{identity.path}/bulkdata"):
        assert inside.get(path).status_code in (200, 404)
    assert inside.search(f"instances?SOPInstanceUID={identity.instance}&includefield=all")


def test_nor_entities_of_xml(inside: Api, listener: Listener) -> None:
    for declared in (
        f'<!DOCTYPE a SYSTEM "http://{listener.address}/a.dtd">',
        f'<!DOCTYPE a [<!ENTITY e SYSTEM "http://{listener.address}/e">]>',
        f'<!DOCTYPE a [<!ENTITY % e SYSTEM "http://{listener.address}/e">%e;]>',
        f'<?xml-stylesheet href="http://{listener.address}/s"?>',
    ):
        body = f"{declared}<NativeDicomModel>&e;</NativeDicomModel>".encode()
        assert send_parts(inside, DICOM_XML, (DICOM_XML, None, body)).status_code == 400


@pytest.mark.parametrize(
    "name",
    [
        "Referer",
        "Origin",
        "Link",
        "Forwarded",
        "X-Forwarded-Host",
        "X-Original-URL",
        "X-Rewrite-URL",
        "Content-Location",
    ],
)
def test_urls_in_headers_are_not_followed(inside: Api, listener: Listener, name: str) -> None:
    identity = new_identity()
    inside.keep(without_pixels(identity))
    url = f"http://{listener.address}/x"
    for path in ("/studies", f"{identity.path}/metadata", identity.path):
        assert inside.get(path, **{name.replace("-", "_"): url}).status_code in (200, 400, 403)


@pytest.mark.parametrize("name", ["url", "callback", "accept", "StudyInstanceUID", "RetrieveURL", "includefield"])
def test_nor_those_in_queries(inside: Api, listener: Listener, name: str) -> None:
    answer = inside.http.get(f"{inside.base}/studies", params={name: f"http://{listener.address}/x"})
    assert answer.status_code in (200, 204, 400, 406)


def test_the_service_is_no_proxy(inside: Api, listener: Listener) -> None:
    for target in (f"http://{listener.address}/x", f"http://{listener.address}/v2/studies/1.2"):
        assert exchange(inside.base, request_head("GET", target)).status == 404
    assert exchange(inside.base, request_head("CONNECT", listener.address)).status >= 400


def test_a_file_name_in_a_part_is_no_place(fenced: RunningServer, inside: Api) -> None:
    before = neighbours(fenced)
    identity = Identity(*(new_identity().path.split("/")[2::2]))
    head = f"--{BOUNDARY}\r\nContent-Type: {DICOM}\r\nContent-Location: ../../canary.txt\r\n"
    head += 'Content-Disposition: attachment; filename="../../../canary.txt"\r\n\r\n'
    body = head.encode() + without_pixels(identity) + f"\r\n--{BOUNDARY}--".encode()
    assert inside.send(body, f"{DICOM_PARTS}; boundary={BOUNDARY}").status_code == 200
    assert neighbours(fenced) == before
