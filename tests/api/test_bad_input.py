"""Bad input: each kind is answered with its status and a plain reason, and takes nothing else with it."""

import re
from collections.abc import Callable

import pytest

from tests.api.client import DICOM, Api, exchange, request_head
from tests.api.files import by_hand, native, real, without_pixels
from tests.api.store_answers import VALIDATION_FAILED, comments, failed, reasons, referenced, uids
from tests.dicom.building import PREAMBLE, explicit, file_meta, fragments, implicit, item, part10, sequence
from tests.instances import Identity, new_identity

PIXELS = bytes(range(256)) * 2
SENTENCE = re.compile(r"[A-Z(].*[.)]", re.DOTALL)


def truncated(identity: Identity) -> bytes:
    return native(identity, PIXELS)[:-100]


BAD_FILES: dict[str, Callable[[Identity], bytes]] = {
    "empty": lambda identity: b"",
    "one byte": lambda identity: b"x",
    "text": lambda identity: b"This is no DICOM file." * 100,
    "zeros": lambda identity: bytes(10_000),
    "JPEG": lambda identity: b"\xff\xd8\xff\xe0" + bytes(1000),
    "PDF": lambda identity: b"%PDF-1.7 " + bytes(1000),
    "no preamble": lambda identity: by_hand(identity)[128:],
    "preamble only": lambda identity: PREAMBLE,
    "no data set": lambda identity: part10(b""),
    "no file meta": lambda identity: real("no_meta.dcm"),
    "ends within the preamble": lambda identity: by_hand(identity)[:100],
    "ends within the file meta": lambda identity: by_hand(identity)[:150],
    "ends within a tag": lambda identity: by_hand(identity) + b"\x28",
    "ends within a value": lambda identity: by_hand(identity)[:-3],
    "ends within the pixel data": truncated,
    "ends within a sequence": lambda identity: by_hand(identity, explicit(0x00081140, "SQ", b"", 100)),
    "ends within an item": lambda identity: by_hand(identity, sequence(0x00081140, item(b"", 50), undefined=True)[:-8]),
    "ends within fragments": lambda identity: by_hand(identity, fragments(b"ab")[:-8]),
    "length beyond the end": lambda identity: by_hand(identity, explicit(0x00081030, "LO", b"text", 1000)),
    "a text of 4 GB": lambda identity: by_hand(identity, explicit(0x00081030, "UT", b"text", 0xFFFFFFFE)),
    "bytes of 4 GB": lambda identity: by_hand(identity, explicit(0x00420011, "OB", b"text", 0xFFFFFFFE)),
    "a sequence of 4 GB": lambda identity: by_hand(identity, explicit(0x00081140, "SQ", b"", 0xFFFFFFFE)),
    "something else than items": lambda identity: by_hand(identity, explicit(0x00081140, "SQ", b"not items")),
    "items outside a sequence": lambda identity: by_hand(identity, item(b"") * 3),
    "fragments without lengths": lambda identity: by_hand(
        identity, explicit(0x7FE00010, "OB", item(b"") + item(b"", 0xFFFFFFFF), 0xFFFFFFFF)
    ),
    "broken deflate": lambda identity: PREAMBLE + file_meta("1.2.840.10008.1.2.1.99") + b"\xff\x00broken" * 100,
    "cut deflate": lambda identity: real("image_dfl.dcm")[:2000],
    "random bytes as a data set": lambda identity: part10(bytes((i * 7919) % 251 for i in range(3000))),
    "implicit though declared explicit, cut": lambda identity: part10(implicit(0x0020000D, b"1.2.3", 99)),
}


@pytest.mark.parametrize("kind", BAD_FILES)
@pytest.mark.parametrize("form", ["single part", "multipart"])
def test_a_bad_file_is_409_with_a_reason(api: Api, kind: str, form: str) -> None:
    identity = new_identity()
    file = BAD_FILES[kind](identity)
    answer = api.store_one(file) if form == "single part" else api.store(file)
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/dicom+json"
    assert reasons(answer) == [VALIDATION_FAILED]
    (comment,) = comments(failed(answer)[0])[:1]
    assert SENTENCE.fullmatch(comment), comment
    assert api.get(identity.path).status_code == 404
    assert api.search(f"instances?SOPInstanceUID={identity.instance}") == []


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_bad_file_takes_no_other_with_it(api: Api, kind: str) -> None:
    before, bad, after = new_identity(), new_identity(), new_identity()
    answer = api.store(without_pixels(before), BAD_FILES[kind](bad), without_pixels(after))
    assert answer.status_code == 202
    assert uids(referenced(answer)) == [before.instance, after.instance]
    assert reasons(answer) == [VALIDATION_FAILED]
    assert api.get(before.path).status_code == api.get(after.path).status_code == 200


def test_a_bad_file_can_be_sent_again_when_it_is_mended(api: Api) -> None:
    identity = new_identity()
    assert api.store(truncated(identity)).status_code == 409
    assert api.store(native(identity, PIXELS)).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_bad_file_does_not_replace_a_good_one(api: Api, method: str) -> None:
    identity = new_identity()
    file = native(identity, PIXELS)
    api.keep(file)
    assert api.store(truncated(identity), method=method).status_code == 409
    assert api.get(identity.path, DICOM).content == file


def test_a_refused_instance_is_named_as_far_as_it_was_read(api: Api) -> None:
    identity = new_identity()
    (entry,) = failed(api.store(truncated(identity)))
    assert uids([entry]) == [identity.instance]


BAD_UIDS = [
    "abc",
    "abc.123",
    "1.2.",
    "%2E",
    "1" * 65,
    "1.2.3-4",
    "1,2",
    "1.2%00.3",
    "%31%2E%61",
    "1%202",
    "11%7C",
    "*",
    "%25",
    "1%0A",
    "%C2%B9",
    "%FF",
    "$bulkUpdate",
    "1.2;x=y",
    "'1'",
    "1.2&3",
]
LEVELS = ["/studies/{}", "/studies/1.2/series/{}", "/studies/1.2/series/1.2/instances/{}"]
RESOURCES = ["", "/metadata", "/bulkdata", "/pixeldata"]


@pytest.mark.parametrize("uid", BAD_UIDS)
@pytest.mark.parametrize("level", LEVELS)
def test_bad_uids_in_paths_are_400(api: Api, level: str, uid: str) -> None:
    for resource in RESOURCES:
        answer = api.get(level.format(uid) + resource)
        assert answer.status_code == 400, answer.url
        assert "DICOM Identifier is invalid" in answer.json()["detail"]
    assert api.delete(level.format(uid)).status_code == 400


@pytest.mark.parametrize("uid", BAD_UIDS)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_bad_uid_in_the_path_of_a_store_is_400(api: Api, uid: str, method: str) -> None:
    identity = new_identity()
    assert api.store(without_pixels(identity), path=f"/studies/{uid}", method=method).status_code == 400
    assert api.get(identity.path).status_code == 404


@pytest.mark.parametrize("uid", ["0", "1", "1.02.3", "1..2", ".1", "1" * 64, "1.2%20", "1.2%00"])
def test_odd_uids_are_let_through(api: Api, uid: str) -> None:
    assert api.get(f"/studies/{uid}").status_code == 404


@pytest.mark.parametrize("path", ["/studies", "/studies/1.2", "/studies/1.2/metadata", "/partitions"])
@pytest.mark.parametrize("query", ["PatientName=<script>", "PatientName=%3Cscript%3E", "%3c", "a=b&<=c", "x=%3C"])
def test_an_opening_angle_bracket_in_a_query_is_400(api: Api, path: str, query: str) -> None:
    answer = exchange(api.base, request_head("GET", f"/v2{path}?{query}"))
    assert answer.status == 400
    if "<" not in query:  # one that is not encoded is no URL, and is refused before it comes to a handler
        assert b"The query string included invalid characters." in answer.body
    assert b"script" not in answer.body


@pytest.mark.parametrize(
    "line",
    [
        b"GET /v2/studies HTTP/9.9",
        b"GET",
        b"\x00\x01\x02",
        b"GET /v2/stu dies HTTP/1.1",
        b"G@T /v2/studies HTTP/1.1",
    ],
)
def test_what_is_not_http_is_400_and_the_server_lives(api: Api, line: bytes) -> None:
    try:
        answer = exchange(api.base, line + b"\r\nHost: x\r\n\r\n")
    except (IndexError, ConnectionError):
        pass
    else:
        assert 400 <= answer.status < 600
    assert api.get("/partitions").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        ["X-Long: " + "x" * 60_000],
        ["Accept: " + "image/jpeg," * 5_000],
        ["Range: bytes=" + "0-1," * 5_000],
        ["If-None-Match: " + '"x",' * 5_000],
        ["Accept-Encoding: " + "br," * 5_000],
        ["Content-Type: multipart/related; " + "x=y; " * 5_000],
        ["Forwarded: " + "host=x;" * 5_000],
        ["X-Forwarded-Host: evil.example/path?<", "X-Forwarded-Prefix: //evil"],
        ["Accept: " + '"' * 10_000],
        ["Accept: \xff\xfe"],
        ["Host: "],
        ["Host: [::"],
    ],
    ids=lambda headers: headers[0][:20],
)
def test_hostile_request_headers(api: Api, headers: list[str]) -> None:
    host = [] if headers[0].startswith("Host") else ["Host: x"]
    head = "\r\n".join(["GET /v2/studies/1.2/metadata HTTP/1.1", *host, *headers, "", ""]).encode("latin-1")
    answer = exchange(api.base, head)
    assert 400 <= answer.status < 500
    assert api.get("/partitions").status_code == 200


@pytest.mark.parametrize("accept", ["image/jpeg," * 1_000, '"' * 1000, "a/b;q=nan", "*/*;q=x", ";;;,,,", "a" * 10_000])
def test_hostile_accept_parameters(api: Api, accept: str) -> None:
    identity = new_identity()
    api.keep(without_pixels(identity))
    answer = api.http.get(f"{api.base}{identity.path}", params={"accept": accept})
    assert answer.status_code in (200, 406)


def test_frame_lists_of_any_length(api: Api) -> None:
    identity = new_identity()
    api.keep(native(identity, PIXELS))
    assert api.get(f"{identity.path}/frames/{','.join(['1'] * 2000)}").status_code == 200
    assert api.get(f"{identity.path}/frames/{'9' * 5000}").status_code == 400
    assert api.get(f"{identity.path}/frames/{','.join(['1'] * 2000)},x").status_code == 400
