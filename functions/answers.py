"""Building answers: JSON compressed where asked for, problems, bodiless answers to HEAD."""

import asyncio
import gzip
import logging
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import cast

from azurefunctions.extensions.http.fastapi import Request, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from functions.patience import Patience
from shared.dicomweb.accept import quality
from shared.dicomweb.conditional import not_modified
from shared.dicomweb.problem import problem
from shared.services.offload import offload
from shared.settings import settings
from shared.telemetry import describe

logger = logging.getLogger(__name__)

Ended = Callable[[int, bool], Awaitable[None]]
"""Takes the bytes of the body that were sent, and whether that was all."""

DICOM_JSON = "application/dicom+json"
JSON = "application/json"
VARY = {"Vary": "Accept, Accept-Encoding"}
"""What caches have to tell apart: every resource here has several media types, JSON and XML several codings."""
GZIP_FROM = 512
"""Bytes below which compressing an answer gains nothing."""
GZIP_LEVEL = 1
SHORT = 1024 * 1024
"""Bytes of a body up to which it may be held in memory."""
MESSAGE = 64 * 1024
"""Bytes of a body that are sent as a message of their own."""
LONG = 4 * 1024 * 1024
"""Bytes of a body after which it is worth knowing whether somebody still listens."""
TURN = 1024 * 1024
"""Bytes of a body after which others get a turn."""


def accepts_gzip(req: Request) -> bool:
    """Whether the client takes gzip-coded content (RFC 9110 12.5.3)."""
    weights = {}
    for coding in req.headers.get("accept-encoding", "").lower().split(","):
        name, _, parameter = coding.partition(";")
        weights[name.strip()] = quality(parameter.partition("=")[2].strip())
    return next((weights[name] > 0 for name in ("gzip", "x-gzip", "*") if name in weights), False)


def json_answer(
    req: Request,
    body: bytes,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    media_type: str = DICOM_JSON,
) -> Response:
    """A JSON document held in memory."""
    answer_headers = {"Content-Type": media_type, **VARY, **(headers or {})}
    if len(body) >= GZIP_FROM and accepts_gzip(req):
        answer_headers["Content-Encoding"] = "gzip"
        body = gzip.compress(body, GZIP_LEVEL, mtime=0)
    return Response(body, status, answer_headers)


def unchanged_answer(req: Request, headers: Mapping[str, str]) -> Response | None:
    """304 with the headers, ETag among them, if the client has what they describe already (RFC 9110 15.4.5)."""
    if not_modified(req.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return None


def stream_answer(
    req: Request, chunks: AsyncIterator[bytes], headers: Mapping[str, str], *, compressible: bool = False
) -> Response:
    """A body that is read as it is sent."""
    answer_headers = {**VARY, **headers}
    if compressible and accepts_gzip(req):
        answer_headers["Content-Encoding"] = "gzip"
        chunks = _gzipped(chunks)
    return StreamedAnswer(chunks, 200, answer_headers)


class StreamedAnswer(StreamingResponse):
    """A body that is read as it is sent.

    A client that goes away is noticed only in long ones: to wait for that beside the body costs more than most bodies.
    """

    ended: Ended | None = None
    """Awaited once, before the last of the body is sent or after it broke off."""
    let_go: Callable[[], object] | None = None
    """Called when it is over, or may be before: when nobody holds the answer any more."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._sent = 0
        length = self.headers.get("content-length")
        self._length = None if length is None else int(length)
        body = self.body_iterator = gathered(cast("AsyncGenerator[bytes]", self.body_iterator))
        try:
            with Patience(send, settings().idle_seconds) as patient:
                await self._give(body, scope, receive, patient)
        except TimeoutError:
            logger.warning("An answer was broken off: the client took nothing of it for too long.")
            raise RuntimeError("The answer broke off.") from None
        finally:
            await self._end(complete=False)
            await body.aclose()
            if self.let_go is not None:
                self.let_go()

    async def _give(self, body: AsyncIterator[bytes], scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for chunk in body:
            await self._pass_on(chunk, send)
            if self._sent >= LONG:
                await super().__call__(scope, receive, send)
                return
        await self._finish(send)

    async def stream_response(self, send: Send) -> None:
        """What is left of the body; Starlette calls it beside its wait for a disconnect.

        That, and other requests, get a turn now and then: where all chunks are at hand and the server takes them,
        nothing here waits.
        """
        turn = self._sent
        async for chunk in self.body_iterator:
            await self._pass_on(cast("bytes", chunk), send)
            if self._sent >= turn:
                turn = self._sent + TURN
                await asyncio.sleep(0)
        await self._finish(send)

    async def _pass_on(self, chunk: bytes, send: Send) -> None:
        """Send a chunk. A client that was told the length has all with the last one of them."""
        if self._sent + len(chunk) == self._length:
            self._sent += len(chunk)
            await self._end(complete=True)
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            return
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
        self._sent += len(chunk)

    async def _finish(self, send: Send) -> None:
        await self._end(complete=True)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _end(self, *, complete: bool) -> None:
        ended, self.ended = self.ended, None
        if ended is not None:
            await ended(self._sent, complete)


async def at_once(response: Response) -> Response:
    """The same answer with its body in memory if that is known to be short: one message to the server is cheapest."""
    length = int(response.headers.get("content-length", SHORT + 1))
    if not isinstance(response, StreamedAnswer) or length > SHORT:
        return response
    whole = Response(status_code=response.status_code)
    whole.body = b"".join([cast("bytes", chunk) async for chunk in response.body_iterator])
    whole.raw_headers = response.raw_headers
    return whole


async def start_body(response: Response) -> None:
    """Read the first of a streamed body: what goes wrong there is raised while the answer can still say so."""
    if isinstance(response, StreamingResponse):
        started = _started(cast("AsyncGenerator[bytes, None]", response.body_iterator))
        await anext(started)
        response.body_iterator = started


async def gathered(chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """The same bytes, small chunks put together: to send one costs as much as to copy some 200 KB."""
    held: list[bytes] = []
    size = 0
    async with aclosing(chunks):
        async for chunk in chunks:
            held.append(chunk)
            size += len(chunk)
            if size >= MESSAGE:
                yield chunk if len(held) == 1 else b"".join(held)
                held.clear()
                size = 0
        if held:
            yield b"".join(held)


async def json_array(objects: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A JSON array of objects that are already JSON."""
    start = b"["
    async for item in objects:
        yield start + item
        start = b","
    yield b"[]" if start == b"[" else b"]"


def problem_answer(error: Exception, req: Request) -> Response:
    """What an exception looks like to the client."""
    status, headers, body = problem(error, req.headers.get("accept"))
    return Response(body, status, headers)


async def bodiless(response: Response) -> Response:
    """The same answer without its body, as HEAD wants it (RFC 9110 9.3.2)."""
    body_iterator = getattr(response, "body_iterator", None)
    if body_iterator is not None:
        await body_iterator.aclose()
    bare = Response(status_code=response.status_code)
    bare.raw_headers = list(response.raw_headers)
    return bare


async def _started(body: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """An empty chunk as soon as the first one has been read, then the body.

    What goes wrong after that breaks the answer off. Its cause is logged without the message, which the host would
    log too if it came through.
    """
    async with aclosing(body):
        first = await anext(body, b"")
        yield b""
        try:
            yield first
            async for chunk in body:
                yield chunk
        except Exception as error:
            logger.error("An answer broke off: %s", describe(error))
            raise RuntimeError("The answer broke off.") from None


async def _gzipped(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    compressor = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    async for chunk in chunks:
        if compressed := await offload(len(chunk), compressor.compress, chunk):
            yield compressed
    yield compressor.flush()
