"""The bytes of store requests as real clients and broken ones write them, sent over bare connections."""

import json
import time
from collections.abc import Callable

import pytest

from tests.api.client import DICOM_PARTS, Api, RawAnswer, chunked, connection, exchange, read_answer, request_head
from tests.api.files import native, without_pixels
from tests.instances import Identity, new_identity

CONTENT_TYPE = f"Content-Type: {DICOM_PARTS}; boundary=b"
HEAD = b"Content-Type: application/dicom\r\n\r\n"


def post(api: Api, body: bytes, *headers: str) -> RawAnswer:
    head = request_head("POST", "/v2/studies", CONTENT_TYPE, f"Content-Length: {len(body)}", *headers)
    return exchange(api.base, head + body)


def is_stored(api: Api, *identities: Identity) -> bool:
    return {api.get(identity.path).status_code for identity in identities} == {200}


def eventually(holds: Callable[[], bool]) -> bool:
    """Whether something holds within ten seconds."""
    deadline = time.monotonic() + 10
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return held


def body_of(files: list[bytes], form: str) -> bytes:
    first, second = files
    head = HEAD
    before, between, after = b"--b\r\n", b"\r\n--b\r\n", b"\r\n--b--\r\n"
    match form:
        case "leading CRLF":
            before = b"\r\n--b\r\n"
        case "preamble":
            before = b"This is a message in MIME format.\r\n--b\r\n"
        case "no final CRLF":
            after = b"\r\n--b--"
        case "epilogue":
            after = b"\r\n--b--\r\nNothing more follows.\r\n--b\r\n"
        case "white space after boundaries":
            before, between = b"--b \t\r\n", b"\r\n--b  \r\n"
        case "headers in lower case":
            head = b"content-type:application/dicom\r\n\r\n"
        case "headers end in LF":
            head = b"Content-Type: application/dicom\n\n"
        case "many headers":
            head = b"MIME-Version: 1.0\r\nContent-Length: 7\r\nContent-Location: x\r\n" + HEAD
        case "folded header":
            head = b"Content-Type:\r\n  application/dicom\r\n\r\n"
    return before + head + first + between + head + second + after


FORMS = [
    "plain",
    "leading CRLF",
    "preamble",
    "no final CRLF",
    "epilogue",
    "white space after boundaries",
    "headers in lower case",
    "headers end in LF",
    "many headers",
    "folded header",
]


@pytest.mark.parametrize("form", FORMS)
def test_multipart_as_clients_write_it(api: Api, form: str) -> None:
    first, second = new_identity(), new_identity()
    answer = post(api, body_of([without_pixels(first), without_pixels(second)], form))
    assert answer.status == 200, answer.body
    assert is_stored(api, first, second)


@pytest.mark.parametrize("size", [1, 7, 1000, 100_000])
def test_chunked_bodies(api: Api, size: int) -> None:
    """Chunks end anywhere, within boundaries and headers too."""
    first, second = new_identity(), new_identity()
    files = [without_pixels(first), native(second, bytes(512))]
    head = request_head("POST", "/v2/studies", CONTENT_TYPE, "Transfer-Encoding: chunked")
    answer = exchange(api.base, head + chunked(body_of(files, "leading CRLF"), size))
    assert answer.status == 200, answer.body
    assert is_stored(api, first, second)


def test_pixels_that_look_like_boundaries(api: Api) -> None:
    identity = new_identity()
    traps = b"\r\n--bx\r\n--b-\r\n--\r\n-b--\r\n--B\r\n\r\n--c--\r\n"
    pixels = (traps * 20)[:512]
    file = native(identity, pixels)
    answer = post(api, b"--b\r\n" + HEAD + file + b"\r\n--b--\r\n")
    assert answer.status == 200
    assert api.get(identity.path, "application/dicom").content == file


def test_expect_continue(api: Api) -> None:
    """A client that waits for leave to send its body gets it."""
    identity = new_identity()
    body = b"--b\r\n" + HEAD + without_pixels(identity) + b"\r\n--b--"
    with connection(api.base) as opened:
        length = f"Content-Length: {len(body)}"
        opened.sendall(request_head("POST", "/v2/studies", CONTENT_TYPE, length, "Expect: 100-continue"))
        assert opened.recv(1000).startswith(b"HTTP/1.1 100 ")
        opened.sendall(body)
        assert read_answer(opened).status == 200


def test_an_empty_expect_header(api: Api) -> None:
    identity = new_identity()
    answer = post(api, b"--b\r\n" + HEAD + without_pixels(identity) + b"\r\n--b--", "Expect:")
    assert answer.status == 200


MALFORMED = {
    "no closing boundary": b"\r\n",
    "ends within a boundary": b"\r\n--",
    "ends behind a boundary": b"\r\n--b\r\n",
    "ends within a head": b"\r\n--b\r\nContent-Type: appl",
    "ends within content": b"\r\n--b\r\n" + HEAD + bytes(1000),
    "a line without a colon": b"\r\n--b\r\nno header\r\n\r\nx\r\n--b--\r\n",
    "a nameless header": b"\r\n--b\r\n: x\r\n\r\nx\r\n--b--\r\n",
    "an endless head": b"\r\n--b\r\nX: " + b"x" * 100_000 + b"\r\n\r\nx\r\n--b--\r\n",
    "too many headers": b"\r\n--b\r\n" + b"X: y\r\n" * 100 + b"\r\nx\r\n--b--\r\n",
}


@pytest.mark.parametrize("rest", MALFORMED.values(), ids=MALFORMED)
def test_malformed_multipart_is_400_and_what_came_whole_is_kept(api: Api, rest: bytes) -> None:
    whole = new_identity()
    last = rest == MALFORMED["no closing boundary"] or rest == MALFORMED["ends within a boundary"]
    answer = post(api, b"--b\r\n" + HEAD + without_pixels(whole) + rest)
    assert answer.status == 400
    problem = json.loads(answer.body)
    assert (problem["title"], problem["status"]) == ("Malformed multipart body", 400)
    assert is_stored(api, whole) != last, "a part without its boundary may lack bytes"


@pytest.mark.parametrize("boundary", ["other", "x" * 300])
def test_a_boundary_that_does_not_occur_is_400(api: Api, boundary: str) -> None:
    body = b"--b\r\n" + HEAD + without_pixels() + b"\r\n--b--\r\n"
    assert api.send(body, f"{DICOM_PARTS}; boundary={boundary}").status_code == 400


def test_a_body_that_breaks_off_stores_what_came_whole(api: Api) -> None:
    whole, broken = new_identity(), new_identity()
    body = body_of([without_pixels(whole), native(broken, bytes(512))], "plain")[:-200]
    with connection(api.base) as opened:
        length = len(body) + 200
        opened.sendall(request_head("POST", "/v2/studies", CONTENT_TYPE, f"Content-Length: {length}") + body)
    assert eventually(lambda: is_stored(api, whole))
    assert api.get(broken.path).status_code == 404


def test_a_single_part_that_breaks_off_is_not_stored(api: Api) -> None:
    identity = new_identity()
    file = native(identity, bytes(512))
    with connection(api.base) as opened:
        head = request_head("POST", "/v2/studies", "Content-Type: application/dicom", f"Content-Length: {len(file)}")
        opened.sendall(head + file[:-10])
    assert api.store(file).status_code == 200
