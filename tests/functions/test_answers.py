import gzip
import json
from collections.abc import AsyncIterator, Iterable

import pytest
from azurefunctions.extensions.http.fastapi import Response, StreamingResponse

from functions.answers import (
    GZIP_FROM,
    accepts_gzip,
    bodiless,
    json_answer,
    json_array,
    problem_answer,
    start_body,
    stream_answer,
    unchanged_answer,
)
from shared.errors import NotFound
from tests.functions.requests import request


async def stream(items: Iterable[bytes]) -> AsyncIterator[bytes]:
    for item in items:
        yield item


async def collect(response: Response, received: list[bytes]) -> None:
    assert isinstance(response, StreamingResponse)
    async for chunk in response.body_iterator:
        assert isinstance(chunk, bytes)
        received.append(chunk)


async def body_of(response: Response) -> bytes:
    received: list[bytes] = []
    await collect(response, received)
    return b"".join(received)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("*", True),
        ("br, gzip", True),
        ("gzip, deflate, br", True),
        ("gzip;q=0.5", True),
        ("gzip; q=1.0, identity; q=0.5, *;q=0", True),
        ("*;q=0, gzip", True),
        ("gzip;q=0", False),
        ("gzip; q = 0.000", False),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
        ("br, deflate", False),
        ("identity", False),
        ("gzipped", False),
    ],
)
def test_gzip_is_used_where_it_is_accepted(header: str | None, expected: bool) -> None:
    asked = request() if header is None else request(accept_encoding=header)
    assert accepts_gzip(asked) is expected


@pytest.mark.parametrize(("size", "compressed"), [(GZIP_FROM - 1, False), (GZIP_FROM, True)])
def test_small_answers_are_not_compressed(size: int, compressed: bool) -> None:
    body = b" " * size
    answer = json_answer(request(accept_encoding="gzip"), body)
    assert (answer.headers.get("content-encoding") == "gzip") is compressed
    assert (gzip.decompress(answer.body) if compressed else answer.body) == body
    assert answer.headers["vary"] == "Accept, Accept-Encoding"


@pytest.mark.parametrize("items", [[], [b'{"a":1}'], [b"1", b"2", b"3"]])
async def test_an_array_is_written_as_it_is_read(items: list[bytes]) -> None:
    whole = b"".join([chunk async for chunk in json_array(stream(items))])
    assert json.loads(whole) == [json.loads(item) for item in items]


async def test_a_stream_is_compressed_only_if_it_may_be() -> None:
    chunks = [b"some ", b"text " * 100_000, b"end"]
    asked = request(accept_encoding="gzip")
    compressed = stream_answer(asked, stream(chunks), {"ETag": '"1"'}, compressible=True)
    assert gzip.decompress(await body_of(compressed)) == b"".join(chunks)
    assert (compressed.headers["content-encoding"], compressed.headers["etag"]) == ("gzip", '"1"')
    plain = stream_answer(asked, stream(chunks), {})
    assert await body_of(plain) == b"".join(chunks)
    assert "content-encoding" not in plain.headers


def test_304_has_the_headers_and_no_body() -> None:
    headers = {"ETag": '"7"', "Vary": "Accept"}
    answer = unchanged_answer(request(if_none_match='"7"'), headers)
    assert answer is not None
    assert (answer.status_code, answer.body, answer.headers["etag"], answer.headers["vary"]) == (
        304,
        b"",
        '"7"',
        "Accept",
    )
    assert unchanged_answer(request(if_none_match='"8"'), headers) is None
    assert unchanged_answer(request(), headers) is None


async def broken(before: list[bytes]) -> AsyncIterator[bytes]:
    for chunk in before:
        yield chunk
    raise NotFound("The specified study cannot be found.")


async def test_what_goes_wrong_at_the_start_of_a_body_can_still_be_told() -> None:
    with pytest.raises(NotFound):
        await start_body(stream_answer(request(), broken([]), {}))


async def test_what_goes_wrong_later_breaks_the_answer_off_and_is_told_without_its_message() -> None:
    answer = stream_answer(request(), broken([b"begun"]), {})
    await start_body(answer)
    received: list[bytes] = []
    with pytest.raises(RuntimeError, match="broke off") as caught:
        await collect(answer, received)
    assert b"".join(received) == b"begun"
    assert caught.value.__suppress_context__


async def test_starting_a_body_changes_nothing_of_it() -> None:
    for chunks in ([], [b"one"], [b"one", b"two"]):
        answer = stream_answer(request(), stream(chunks), {})
        await start_body(answer)
        assert await body_of(answer) == b"".join(chunks)
    bare = Response(b"body")
    await start_body(bare)
    assert bare.body == b"body"


async def test_bodiless_keeps_every_header_and_lets_go_of_the_body() -> None:
    closed = []

    async def chunks() -> AsyncIterator[bytes]:
        try:
            yield b"a"
            yield b"b"
        finally:
            closed.append(True)

    answer = stream_answer(request(), chunks(), {"Content-Length": "2", "ETag": '"1"'})
    await start_body(answer)
    bare = await bodiless(answer)
    assert (bare.status_code, bare.body) == (200, b"")
    assert (bare.headers["content-length"], bare.headers["etag"]) == ("2", '"1"')
    assert closed


@pytest.mark.parametrize(("accept", "expected"), [("*/*", "application/problem+json"), ("text/plain", "text/plain")])
def test_problems_take_the_form_that_is_accepted(accept: str, expected: str) -> None:
    answer = problem_answer(NotFound("Nothing is there."), request(accept=accept))
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith(expected)
    assert b"Nothing is there." in answer.body
