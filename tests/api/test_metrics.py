"""``/metrics`` tells of all processes of the embedded host together, as Prometheus reads it."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

import function_app
from functions.registration import ROUTES
from tests.access.issuer import issuing
from tests.instances import dataset, new_identity, part10
from tests.server import RunningServer, running

assert function_app.app
SOON = 15.0
ASKED = 40
FRESH = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0), timeout=30)
"""Opens a connection for each request, so that all processes get some."""
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server of two processes."""
    with running(tmp_path_factory.mktemp("metrics") / "data", workers=2) as server:
        yield server


def scraped(server: RunningServer) -> Samples:
    """All samples, by name and labels."""
    answer = FRESH.get(f"{server.url}/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def total(samples: Samples, name: str, **labels: str) -> float:
    """The sum of a metric over all its labels but these."""
    return sum(value for (each, has), value in samples.items() if each == name and labels.items() <= dict(has).items())


def asked(server: RunningServer, times: int = ASKED) -> None:
    """Searches."""
    for _ in range(times):
        assert FRESH.get(f"{server.url}/v2/studies?PatientID=nobody").status_code == 204


COUNT = "http_server_request_duration_seconds_count"


def test_a_scrape_is_the_sum_of_the_processes(two: RunningServer) -> None:
    before = total(scraped(two), COUNT, dicom_function="search_studies")
    asked(two)
    for _ in range(6):
        assert total(scraped(two), COUNT, dicom_function="search_studies") == before + ASKED
    assert len(list((two.data / "metrics").iterdir())) == 2


def test_bytes_and_instances(two: RunningServer) -> None:
    before = scraped(two)
    identity = new_identity()
    file = part10(dataset(identity))
    url = f"{two.url}/v2/studies"
    httpx.post(url, content=file, headers={"Content-Type": "application/dicom"}).raise_for_status()
    got = httpx.get(f"{url}/{identity.study}", headers={"Accept": "multipart/related; type=application/dicom"})
    httpx.delete(f"{url}/{identity.study}").raise_for_status()
    after = scraped(two)
    grown = {
        name: total(after, name, **labels) - total(before, name, **labels)
        for name, labels in {
            "dicom_instances_stored_total": {},
            "dicom_instances_deleted_total": {},
            "http_server_request_body_size_bytes_sum": {"dicom_function": "store"},
            "http_server_response_body_size_bytes_sum": {"dicom_function": "retrieve_study"},
        }.items()
    }
    assert list(grown.values()) == [1, 1, len(file), len(got.content)]


def test_the_request_for_it_is_under_way(two: RunningServer) -> None:
    assert total(scraped(two), "http_server_active_requests") == 1


def test_labels_are_names_of_ours(two: RunningServer) -> None:
    for path in ("/v2/partitions/secret/studies", "/v2/studies/1.2.3?a=secret", "/secret", "/secret/studies"):
        FRESH.get(two.url + path, headers={"X-Request-Id": "secret", "User-Agent": "secret"})
    samples = scraped(two)
    functions = {each.name.removesuffix("_in_partition") for each in ROUTES}
    routes = {each.template for each in ROUTES}
    for name, labels in samples:
        found = dict(labels)
        if name == COUNT:
            assert found.keys() == {
                "dicom_function",
                "http_request_method",
                "http_route",
                "http_response_status_code",
            }
            assert found["dicom_function"] in functions
            assert found["http_route"] in routes
    assert not [key for key in samples if "secret" in str(key)]


def test_a_process_that_dies_keeps_its_counts(two: RunningServer) -> None:
    asked(two)
    before = total(scraped(two), COUNT, dicom_function="search_studies")
    first, *workers = two.processes()
    os.kill(workers[0], signal.SIGKILL)
    lowest = before
    deadline = time.monotonic() + SOON
    while len(set(two.processes()) - {first, workers[0]}) < 2 and time.monotonic() < deadline:
        try:
            lowest = min(lowest, total(scraped(two), COUNT, dicom_function="search_studies"))
        except httpx.TransportError:
            time.sleep(0.05)
    assert lowest == before
    deadline = time.monotonic() + SOON
    while True:
        try:
            asked(two, 1)
            break
        except httpx.TransportError:
            assert time.monotonic() < deadline
    assert total(scraped(two), COUNT, dicom_function="search_studies") == before + 1


def test_who_may_read_it_and_what_refused_tokens_count(tmp_path: Path) -> None:
    roles = '[{"name": "Ward", "actions": ["read"], "partitions": ["ward"]}]'
    with issuing() as issuer:
        issuer.rotate("RS256", drop=True)
        settings = issuer.settings | {"DICOM_ROLES": roles}
        with running(tmp_path / "data", workers=1, settings=settings) as server:

            def ask(token: str | None) -> httpx.Response:
                headers = {} if token is None else {"Authorization": f"Bearer {token}"}
                return FRESH.get(f"{server.url}/metrics", headers=headers)

            assert ask(None).status_code == 401
            assert ask(issuer.token(exp=1)).status_code == 401
            assert ask(issuer.token(roles=["Ward"])).status_code == 403
            found = ask(issuer.token(roles=["DicomDataReader"]))
            assert found.status_code == 200
            assert "dicom_access_tokens_refused_total 1\n" in found.text
