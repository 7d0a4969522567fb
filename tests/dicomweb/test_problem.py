import json
import re

import pytest

from shared.dicomweb.problem import problem
from shared.errors import (
    BlobMissing,
    MethodNotAllowed,
    NotFound,
    RangeNotSatisfiable,
    ServiceError,
    StorageError,
)

SECRET = "SMITH^JOHN"


def test_a_problem_says_what_is_wrong() -> None:
    status, headers, body = problem(NotFound("The study is not stored."), None)
    assert status == 404
    assert headers == {"Content-Type": "application/problem+json"}
    assert json.loads(body) == {
        "type": "about:blank",
        "title": "Not found",
        "status": 404,
        "detail": "The study is not stored.",
    }


@pytest.mark.parametrize(
    ("accept", "is_text"),
    [
        (None, False),
        ("", False),
        ("*/*", False),
        ("application/dicom+json", False),
        ("application/json", False),
        ("application/problem+json", False),
        ('multipart/related; type="application/dicom"; transfer-syntax=*', False),
        ("application/json, text/plain, */*", False),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
        ("text/plain;q=0.5, application/json", False),
        ("text/plain;q=0", False),
        ("text/plain", True),
        ("text/plain, */*", True),
        ("text/*", True),
        ("text/plain, application/json;q=0.9", True),
    ],
)
def test_plain_text_is_given_to_those_who_prefer_it(accept: str | None, is_text: bool) -> None:
    status, headers, body = problem(NotFound("Nothing is stored there."), accept)
    assert status == 404
    if is_text:
        assert headers["Content-Type"] == "text/plain; charset=utf-8"
        assert body == b"Nothing is stored there."
    else:
        assert headers["Content-Type"] == "application/problem+json"
        assert json.loads(body)["detail"] == "Nothing is stored there."


@pytest.mark.parametrize(
    "error", [ValueError(SECRET), KeyError(SECRET), ServiceError(SECRET), BlobMissing(SECRET), NotImplementedError()]
)
@pytest.mark.parametrize("accept", [None, "text/plain"])
def test_the_cause_of_a_500_is_never_disclosed(error: Exception, accept: str | None) -> None:
    try:
        raise error
    except Exception as raised:
        status, headers, body = problem(raised, accept)
    assert status == 500
    assert SECRET.encode() not in body
    assert not re.search(rb"Traceback|\.py|Error", body.replace(b"Internal error", b""))
    assert set(headers) == {"Content-Type"}
    assert body == problem(RuntimeError("something else"), accept)[2]


def test_other_failures_of_the_service_are_told() -> None:
    status, _, body = problem(StorageError("The index can't be reached."), "text/plain")
    assert (status, body) == (503, b"The index can't be reached.")


@pytest.mark.parametrize(
    ("error", "name", "value"),
    [
        (RangeNotSatisfiable("Too far.", headers={"Content-Range": "bytes */9"}), "Content-Range", "bytes */9"),
        (MethodNotAllowed("No.", headers={"Allow": "GET"}), "Allow", "GET"),
    ],
)
def test_headers_of_the_error_are_kept(error: ServiceError, name: str, value: str) -> None:
    headers = problem(error, None)[1]
    assert headers == {name: value, "Content-Type": "application/problem+json"}
