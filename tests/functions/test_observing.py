"""Every exchange is told of once, before its answer has come to its end, with what went in and out."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from azurefunctions.extensions.http.fastapi import Request, Response
from starlette.types import Message

from functions import observing
from functions.answers import LONG, MESSAGE, stream_answer
from functions.observing import GONE, Door, note_deleted, note_stored
from functions.registration import _answer
from shared.access import ANYONE, DataAction
from shared.errors import NotFound
from shared.exchange import MOST_INSTANCES, MOST_STUDIES, Exchange
from shared.storage.index.model import InstanceKey
from tests.garbage import garbage

DOOR = Door("retrieve_study", "{version}/studies/{study}", DataAction.READ, "Microsoft.Default")
STUDY = "1.2.3"
MESSAGES = [b"1" * MESSAGE, b"2" * MESSAGE]
LENGTH = 2 * MESSAGE

Handler = Callable[[Request], Awaitable[Response]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Exchange]:
    """The exchanges that were told of so far."""
    found: list[Exchange] = []
    monkeypatch.setattr(observing, "LISTENERS", [found.append])
    return found


def asked(
    method: str = "GET", path: dict[str, str] | None = None, body: tuple[bytes, ...] = (), **more: Any
) -> Request:
    waiting = list(body)

    async def receive() -> Message:
        if not waiting:
            return {"type": "http.disconnect"}
        chunk = waiting.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(waiting)}

    scope = {
        "type": "http",
        "method": method,
        "scheme": "http",
        "server": ("localhost", 80),
        "client": ("192.0.2.1", 5000),
        "path": f"/v2/studies/{STUDY}",
        "query_string": b"",
        "headers": [],
        "path_params": {"version": "v2", "study": STUDY} if path is None else path,
    }
    return Request(scope | more, receive)


class Client:
    """Takes an answer; ``leaves_after`` so many bytes, if told so."""

    def __init__(self, told: list[Exchange], leaves_after: int | None = None) -> None:
        self.body = b""
        self.told_before: list[int] = []
        """How many exchanges had been told of when each piece of the body came."""
        self._told = told
        self._leaves_after = leaves_after
        self._left = asyncio.Event()

    async def take(self, answer: Response) -> None:
        async with asyncio.timeout(10):
            await answer({"type": "http"}, self.receive, self.send)

    async def receive(self) -> Message:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] != "http.response.body":
            return
        self.told_before.append(len(self._told))
        self.body += message.get("body", b"")
        if self._leaves_after is not None and len(self.body) >= self._leaves_after:
            self._left.set()


def handler_of(response: Response) -> Handler:
    async def handler(req: Request) -> Response:
        return response

    return handler


def streaming(chunks: list[bytes], headers: dict[str, str] | None = None, fails: Exception | None = None) -> Handler:
    async def body() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk
        if fails is not None:
            raise fails

    async def handler(req: Request) -> Response:
        return stream_answer(req, body(), headers or {})

    return handler


async def test_an_answer_held_in_memory_is_told_of_before_it_is_sent(told: list[Exchange]) -> None:
    answer = await _answer(asked(), DOOR, handler_of(Response(b"12345", 200)))
    (exchange,) = told
    client = Client(told)
    await client.take(answer)
    assert (client.body, len(told)) == (b"12345", 1)
    assert (exchange.status, exchange.sent, exchange.received, exchange.complete) == (200, 5, 0, True)
    assert (exchange.function, exchange.route, exchange.action) == (DOOR.function, DOOR.route, DOOR.action)
    assert (exchange.method, exchange.api_version, exchange.partition) == ("GET", 2, "Microsoft.Default")
    assert (exchange.study, exchange.series, exchange.instance) == (STUDY, None, None)
    assert (exchange.client, exchange.caller) == ("192.0.2.1", ANYONE)
    assert answer.headers["x-request-id"] == exchange.correlation
    assert 0 < exchange.duration < 5


async def test_a_stream_is_told_of_before_its_end(told: list[Exchange]) -> None:
    answer = await _answer(asked(), DOOR, streaming(MESSAGES))
    assert told == []
    client = Client(told)
    await client.take(answer)
    assert client.body == b"".join(MESSAGES)
    assert client.told_before == [0, 0, 1]
    assert [(each.status, each.sent, each.complete) for each in told] == [(200, LENGTH, True)]


async def test_a_stream_of_known_length_is_told_of_before_its_last_bytes(told: list[Exchange]) -> None:
    """With them the client has all that it waits for."""
    client = Client(told)
    await client.take(await _answer(asked(), DOOR, streaming(MESSAGES, {"Content-Length": str(LENGTH)})))
    assert client.body == b"".join(MESSAGES)
    assert client.told_before == [0, 1, 1]
    assert [(each.sent, each.complete) for each in told] == [(LENGTH, True)]


async def test_a_long_stream_is_told_of_once(told: list[Exchange]) -> None:
    chunks = [bytes(LONG // 2)] * 5
    client = Client(told)
    await client.take(await _answer(asked(), DOOR, streaming(chunks)))
    assert len(client.body) == 5 * (LONG // 2)
    assert [(each.sent, each.complete) for each in told] == [(5 * (LONG // 2), True)]
    assert client.told_before[-2:] == [0, 1]


async def test_a_client_that_leaves_is_told_of_with_what_it_got(told: list[Exchange]) -> None:
    client = Client(told, leaves_after=LONG + 1)
    await client.take(await _answer(asked(), DOOR, streaming([bytes(LONG // 4)] * 100)))
    (exchange,) = told
    assert not exchange.complete
    assert not exchange.succeeded
    assert exchange.status == 200
    assert LONG <= exchange.sent <= len(client.body) < 100 * LONG // 4


async def test_the_body_of_a_client_that_leaves_is_let_go_of_at_once(told: list[Exchange]) -> None:
    closed = []

    async def body() -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(LONG // 4)
        finally:
            closed.append(True)

    async def handler(req: Request) -> Response:
        return stream_answer(req, body(), {})

    answer = await _answer(asked(), DOOR, handler)
    await Client(told, leaves_after=LONG + 1).take(answer)
    assert closed


async def test_an_answer_that_breaks_off(told: list[Exchange]) -> None:
    answer = await _answer(asked(), DOOR, streaming(MESSAGES, fails=NotFound("It is gone.")))
    client = Client(told)
    with pytest.raises(RuntimeError, match="broke off"):
        await client.take(answer)
    assert [(each.status, each.sent, each.complete) for each in told] == [(200, LENGTH, False)]


async def test_head_sends_no_bytes(told: list[Exchange]) -> None:
    await _answer(asked("HEAD"), DOOR, streaming([b"12", b"345"]))
    assert [(each.method, each.status, each.sent, each.complete) for each in told] == [("HEAD", 200, 0, True)]


async def test_what_the_handler_raises_is_told_of_as_answered(told: list[Exchange]) -> None:
    async def handler(req: Request) -> Response:
        raise NotFound("It is gone.")

    answer = await _answer(asked(), DOOR, handler)
    assert [(each.status, each.sent) for each in told] == [(404, len(answer.body))]


@pytest.mark.parametrize("read", [0, 1, 3])
async def test_bytes_of_the_body_count_as_they_are_read(told: list[Exchange], read: int) -> None:
    async def handler(req: Request) -> Response:
        chunks = req.stream()
        for _ in range(read):
            await anext(chunks)
        return Response()

    await _answer(asked("POST", body=(b"12", b"345", b"6789")), DOOR, handler)
    assert told[0].received == [0, 2, 5, 9][read]


async def test_a_request_that_is_cancelled_is_told_of(told: list[Exchange]) -> None:
    under_way = asyncio.Event()

    async def handler(req: Request) -> Response:
        under_way.set()
        await asyncio.Event().wait()
        raise AssertionError

    task = asyncio.create_task(_answer(asked(), DOOR, handler))
    await under_way.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [(each.status, each.complete, each.sent) for each in told] == [(GONE, False, 0)]


async def test_what_was_stored_is_named_up_to_a_bound(told: list[Exchange]) -> None:
    keys = [InstanceKey("p", f"1.{n % (MOST_STUDIES + 5)}", "2", f"3.{n}") for n in range(3 * MOST_STUDIES)]

    async def handler(req: Request) -> Response:
        note_stored(req, keys)
        return Response()

    await _answer(asked("POST"), DOOR, handler)
    (exchange,) = told
    assert exchange.touched == len(keys)
    assert exchange.instances == tuple(keys[:MOST_INSTANCES])
    assert len(exchange.studies) == MOST_STUDIES
    assert set(exchange.studies.values()) <= {2, 3}


async def test_what_was_deleted_is_counted(told: list[Exchange]) -> None:
    async def handler(req: Request) -> Response:
        note_deleted(req, 12)
        return Response(status_code=204)

    await _answer(asked("DELETE"), DOOR, handler)
    assert (told[0].touched, told[0].instances, told[0].studies) == (12, (), {})


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ({"version": "V1"}, (1, "Microsoft.Default", None, None)),
        ({"version": "v9"}, (None, "Microsoft.Default", None, None)),
        ({"version": "v2", "partition": "site-1"}, (2, "site-1", None, None)),
        ({"version": "v2", "partition": "Doe John"}, (2, None, None, None)),
        ({"version": "v2", "study": "1.2 "}, (2, "Microsoft.Default", "1.2", None)),
        ({"version": "v2", "study": "Doe^John"}, (2, "Microsoft.Default", None, None)),
        ({"version": "v2", "tag": "PatientAge"}, (2, "Microsoft.Default", None, "PatientAge")),
        ({"version": "v2", "tag": "00101010"}, (2, "Microsoft.Default", None, "00101010")),
        ({"version": "v2", "tag": "Doe"}, (2, "Microsoft.Default", None, None)),
        ({"version": "v2", "operation": "1" * 32}, (2, "Microsoft.Default", None, "1" * 32)),
        ({"version": "v2", "operation": "Doe"}, (2, "Microsoft.Default", None, None)),
        ({"version": "v2", "upload": f"{'a' * 32}.dcm.gz"}, (2, "Microsoft.Default", None, f"{'a' * 32}.dcm.gz")),
        ({"version": "v2", "upload": "doe.dcm"}, (2, "Microsoft.Default", None, None)),
    ],
)
async def test_only_what_is_well_formed_is_told_of_the_path(
    told: list[Exchange], path: dict[str, str], expected: tuple[Any, ...]
) -> None:
    await _answer(asked(path=path), DOOR, handler_of(Response()))
    (exchange,) = told
    assert (exchange.api_version, exchange.partition, exchange.study, exchange.resource) == expected


async def test_a_request_is_let_go_of_with_its_answer(told: list[Exchange]) -> None:
    async def handler(req: Request) -> Response:
        return Response(await req.body())

    with garbage() as left:
        await _answer(asked("POST", body=(b"12", b"345")), DOOR, handler)
    assert told[0].received == 5
    assert left == []


async def test_of_a_query_only_the_names_are_told(told: list[Exchange]) -> None:
    await _answer(asked(query_string=b"PatientName=Doe&Doe=1"), DOOR, handler_of(Response()))
    assert told[0].query == ("PatientName", "(unknown)")
    assert "Doe" not in repr(told[0])


async def test_too_many_remarks_are_refused_and_not_kept(told: list[Exchange]) -> None:
    headers = [(b"x-ms-azuredicom-audit-%d" % number, b"x") for number in range(11)]
    answer = await _answer(asked(headers=headers), DOOR, handler_of(Response()))
    assert answer.status_code == 400
    assert b"at most 10 headers X-MS-AZUREDICOM-AUDIT-{name}" in answer.body
    assert [(each.status, each.remarks) for each in told] == [(400, {})]


async def test_a_listener_that_fails_harms_neither_the_answer_nor_the_next_one(
    told: list[Exchange], caplog: pytest.LogCaptureFixture
) -> None:
    def fails(exchange: Exchange) -> None:
        raise ValueError("SECRET")

    async def waits(exchange: Exchange) -> None:
        await asyncio.sleep(0)
        told.append(exchange)

    observing.LISTENERS[:] = [fails, waits]
    with caplog.at_level(logging.INFO):
        answer = await _answer(asked(), DOOR, handler_of(Response(b"body")))
    assert (answer.status_code, len(told)) == (200, 1)
    assert "could not be told" in caplog.text
    assert "SECRET" not in caplog.text
