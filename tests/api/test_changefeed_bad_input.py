"""What the change feed refuses, to the word, and what it takes all the same."""

import pytest

from tests.api.client import Api
from tests.api.feed import entries, numbered
from tests.api.files import without_pixels
from tests.dicomweb.feed_refusals import ACTION, BACKWARDS, METADATA, MOMENT, OFFSET, PARTITION, STUDY, WAIT
from tests.instances import new_identity

LIMIT = "The query parameter 'Limit' is invalid. The field Limit must be between 1 and {}."
CHARACTERS = "The query string included invalid characters."

STORED = 12


@pytest.fixture(scope="module", autouse=True)
def filled(api: Api) -> None:
    """More entries than a page of version 1 holds."""
    first = new_identity()
    api.keep(*(without_pixels(new_identity(first.study, first.series)) for _ in range(STORED)))
    numbered(api, f"study={first.study}", STORED)


def refused(api: Api, path: str) -> str:
    answer = api.get(path)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["title"], problem["status"]) == ("Bad request", 400)
    return str(problem["detail"])


@pytest.mark.parametrize(
    ("start", "end", "why"),
    [
        ("foo", "2023-05-03T10:58:00Z", MOMENT.format("StartTime")),
        ("2023-05-03T10:58:00Z", "bar", MOMENT.format("EndTime")),
        ("2023-05-03T10:58:00", "2023-05-03T11:00:00Z", MOMENT.format("StartTime")),
        ("2023-05-03T10:58:00Z", "2023-05-03T11:00:00", MOMENT.format("EndTime")),
        ("2023-05-03T10:58:00Z", "2023-05-03T10:58:00Z", BACKWARDS),
        ("2023-05-03T10:59:00Z", "2023-05-03T10:58:00Z", BACKWARDS),
        ("2023-05-03", "2023-05-04T10:58:00Z", MOMENT.format("StartTime")),
        ("2023-05-03T10:58:00%2B15:00", "2023-05-04T10:58:00Z", MOMENT.format("StartTime")),
        ("2023-05-03T10:58:00%2B01:00", "2023-05-03T09:58:00Z", BACKWARDS),
    ],
)
def test_windows_of_time(api: Api, v1: Api, start: str, end: str, why: str) -> None:
    assert refused(api, f"/changefeed?startTime={start}&endTime={end}") == why
    assert len(entries(v1, f"startTime={start}&endTime={end}")) == 10


@pytest.mark.parametrize(
    ("limit", "offset", "metadata", "why"),
    [
        ("-1", "0", "true", LIMIT),
        ("0", "0", "true", LIMIT),
        ("blah", "0", "true", LIMIT),
        ("1", "-1", "true", OFFSET),
        ("1", "92233720368547758070", "true", OFFSET),
        ("1", "blah", "true", OFFSET),
        ("1", "0", "0", METADATA),
        ("1", "0", "true-ish", METADATA),
        ("1", "0", "boolean", METADATA),
        ("", "0", "true", LIMIT),
        ("1", "", "true", OFFSET),
        ("1", "0", "", METADATA),
        ("1.5", "0", "true", LIMIT),
    ],
)
def test_pages(api: Api, v1: Api, limit: str, offset: str, metadata: str, why: str) -> None:
    query = f"limit={limit}&offset={offset}&includeMetadata={metadata}"
    assert refused(api, f"/changefeed?{query}") == why.format(200)
    assert refused(v1, f"/changefeed?{query}") == why.format(100)


def test_limits(api: Api, v1: Api) -> None:
    assert refused(v1, "/changefeed?limit=101") == LIMIT.format(100)
    assert refused(api, "/changefeed?limit=201") == LIMIT.format(200)
    assert len(entries(v1, "limit=100")) >= STORED
    assert len(entries(api, "limit=200")) >= STORED
    assert len(entries(v1, "limit=1")) == len(entries(api, "limit=1")) == 1


def test_defaults(api: Api, v1: Api) -> None:
    assert len(entries(v1)) == 10
    assert entries(v1) == entries(v1, "offset=0&limit=10&includeMetadata=true")
    assert entries(api) == entries(api, "offset=0&limit=100&includeMetadata=true&wait=0&startTime=&endTime=")


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("includeMetadata=asdf", METADATA),
        ("partition=", PARTITION),
        ("partition=a/b", PARTITION),
        (f"partition={'a' * 65}", PARTITION),
        ("study=", STUDY),
        ("study=abc.123", STUDY),
        ("study=11%7C", STUDY),
        (f"study={'1' * 65}", STUDY),
        ("action=", ACTION),
        ("action=stored", ACTION),
        ("action=create;delete", ACTION),
        ("study=%3Cscript%3E", CHARACTERS),
        ("study=%ff", "The query string is not percent-encoded UTF-8."),
    ],
)
def test_what_both_resources_refuse(api: Api, v1: Api, query: str, why: str) -> None:
    for version in (api, v1):
        assert refused(version, f"/changefeed?{query}") == why
        assert refused(version, f"/changefeed/latest?{query}") == why


@pytest.mark.parametrize("wait", ["", "-1", "60.5", "61", "3600", "a%20minute", "1e1", "NaN"])
def test_waiting(api: Api, v1: Api, wait: str) -> None:
    for version in (api, v1):
        assert refused(version, f"/changefeed?wait={wait}") == WAIT


@pytest.mark.parametrize("query", ["limit=0", "offset=-1", "startTime=foo", "wait=99", "PatientName=A", "&&", "?=&="])
def test_the_latest_has_no_use_for_other_parameters(api: Api, v1: Api, query: str) -> None:
    for version in (api, v1):
        assert version.get(f"/changefeed/latest?{query}").status_code == 200


@pytest.mark.parametrize("query", ["PatientName=A", "foo", "&&", "accept=text/plain", "limit=3&limit=x", "Limit=3"])
def test_what_is_unknown_or_repeated_is_passed_over(api: Api, v1: Api, query: str) -> None:
    for version in (api, v1):
        expected = "limit=3" if "imit" in query else ""
        assert entries(version, query) == entries(version, expected)


def test_offsets_past_the_end(api: Api, v1: Api) -> None:
    for version in (api, v1):
        assert entries(version, "offset=999999999999999999") == []


def test_the_sentence_alone_for_those_who_prefer_text(api: Api) -> None:
    answer = api.get("/changefeed?limit=0", accept="text/plain")
    assert (answer.status_code, answer.text) == (400, LIMIT.format(200))


@pytest.mark.parametrize("version", ["v3", "v1.0-prerelease", "v0"])
def test_other_versions(api: Api, version: str) -> None:
    other = Api(api.http, api.base.replace("/v2", f"/{version}"))
    for path in ("/changefeed", "/changefeed/latest"):
        assert other.get(path).status_code == 404


def test_no_value_is_repeated(api: Api) -> None:
    for name in ("limit", "offset", "startTime", "endTime", "includeMetadata", "partition", "study", "action", "wait"):
        assert "John" not in refused(api, f"/changefeed?{name}=Doe%5EJohn")
