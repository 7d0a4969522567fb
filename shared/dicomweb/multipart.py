"""Reading a multipart/related body as a stream, in bounded memory (RFC 2046 5.1, RFC 2387, PS3.18 8.6.1.2)."""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass

from shared.dicom.model import Chunk
from shared.dicomweb.media_types import MediaType, parse_content_type
from shared.errors import MalformedMultipart, PayloadTooLarge, UnsupportedMediaType

MAX_CHUNK = 512 * 1024
MAX_BOUNDARY = 200
"""In bytes. RFC 2046 allows 70."""
BLANKS = " \t\r"

_LINE_REST = re.compile(rb"(?P<close>--)|[ \t]{0,64}\r?\n")
"""What must follow a boundary for it to be a delimiter."""
_LINE_REST_BEGUN = re.compile(rb"-?|[ \t]{0,64}\r?")
_BLANK_LINE = re.compile(rb"\n\r?\n")


@dataclass(frozen=True, slots=True)
class MultipartLimits:
    """``head`` is in bytes, for the headers of one part; ``headers`` counts those, ``parts`` the parts of a body."""

    head: int = 16 * 1024
    headers: int = 64
    parts: int = 100_000


DEFAULT_LIMITS = MultipartLimits()


class Headers(Mapping[str, str]):
    """A part's headers by name, in any letter case; of a repeated one the first counts."""

    def __init__(self, lines: list[tuple[str, str]]) -> None:
        self._values: dict[str, str] = {}
        for name, value in lines:
            self._values.setdefault(name.lower(), value)

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class Part:
    """One body part: its headers, and its content as an async iterator of chunks of bytes.

    The content can be read once, in several goes if need be, until the next part is asked for.
    """

    def __init__(self, headers: Headers, reader: "_Reader") -> None:
        self.headers = headers
        self._reader = reader
        self._ended = False

    @property
    def content_type(self) -> MediaType | None:
        """None if the part has no Content-Type. Raises UnsupportedMediaType if it has one that can't be read."""
        value = self.headers.get("content-type")
        return None if value is None else parse_content_type(value)

    @property
    def content_location(self) -> str | None:
        """What the part says it is, which metadata refer to as BulkDataURI (PS3.18 10.5.2)."""
        return self.headers.get("content-location")

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        if not self._ended and (chunk := await self._reader.content()):
            return chunk
        self._ended = True
        raise StopAsyncIteration


def boundary_of(content_type: MediaType) -> bytes:
    """The boundary that a request's Content-Type names.

    Raises UnsupportedMediaType if it is not multipart/related with a boundary.
    """
    boundary = content_type.params.get("boundary", "")
    if content_type.essence != "multipart/related" or not boundary:
        raise UnsupportedMediaType("The body must be multipart/related, and its Content-Type must name a boundary.")
    return boundary.encode("latin-1", "replace")


async def read_parts(
    body: AsyncIterator[bytes], boundary: bytes, limits: MultipartLimits = DEFAULT_LIMITS
) -> AsyncIterator[Part]:
    """The parts of a body, in order. What is left of a part is passed over when the next one is asked for.

    Lenient: a preamble, white space before the first and after any boundary, lines of headers that end in
    LF alone, no CRLF after the closing boundary. What follows that boundary is not read. An empty body
    has no parts.

    Raises, here or while a part's content is read, MalformedMultipart when the body ends before its
    closing boundary or a part's headers can't be read, and PayloadTooLarge at too many parts.
    """
    if not boundary or len(boundary) > MAX_BOUNDARY or re.search(rb"[\r\n]", boundary):
        raise MalformedMultipart("The boundary that the Content-Type names is empty, too long or has line breaks.")
    reader = _Reader(_bounded(body), boundary, limits)
    if await reader.is_blank():
        return
    await reader.pass_over()
    count = 0
    while not reader.closed:
        count += 1
        if count > limits.parts:
            raise PayloadTooLarge(f"The body has more than {limits.parts} parts.")
        part = Part(await reader.head(), reader)
        yield part
        async for _ in part:
            pass


async def _bounded(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for chunk in body:
        for start in range(0, len(chunk), MAX_CHUNK):
            yield chunk[start : start + MAX_CHUNK] if len(chunk) > MAX_CHUNK else chunk


class _Reader:
    """The position in a body. It is either within content, the preamble's or a part's, or just past a delimiter.

    Content is handed out as far as it can't hold a delimiter's beginning, so that between two chunks no
    more is kept than the tail of one that may turn out to be a delimiter.
    """

    def __init__(self, body: AsyncIterator[bytes], boundary: bytes, limits: MultipartLimits) -> None:
        self._body = body
        self._delimiter = b"\r\n--" + boundary
        self._limits = limits
        self._buffer = b""
        self._position = 0
        self._in_content = self._at_start = True
        self.closed = False

    async def is_blank(self) -> bool:
        """Read up to the first byte that is not white space, and as far as a boundary goes; whether there is none."""
        while len(self._buffer) < len(self._delimiter) and await self._more():
            self._buffer = self._buffer.lstrip()
        return not self._buffer

    async def pass_over(self) -> None:
        """Go on to the next delimiter."""
        while await self.content():
            pass

    async def content(self) -> Chunk:
        """The next bytes of the content; none when its delimiter has been passed."""
        while self._in_content:
            end, line_rest = self._find_delimiter()
            if end > self._position:
                start, self._position = self._position, end
                self._at_start = False
                whole = end - start == len(self._buffer)
                return self._buffer if whole else memoryview(self._buffer)[start:end]
            if line_rest:
                self._in_content = self._at_start = False
                self.closed = line_rest["close"] is not None
                # A head begins with the line break that ends the boundary's line.
                self._position = line_rest.end() - 1
            elif not await self._more():
                raise MalformedMultipart("The body ends before its closing boundary.")
        return b""

    async def head(self) -> Headers:
        """The headers of the part whose delimiter has been passed."""
        longest = self._limits.head + 3
        while not (blank_line := _BLANK_LINE.search(self._buffer, self._position, self._position + longest)):
            if len(self._buffer) - self._position >= longest:
                raise MalformedMultipart(f"The headers of a part are longer than {self._limits.head} bytes.")
            if not await self._more():
                raise MalformedMultipart("The body ends within the headers of a part.")
        block = self._buffer[self._position : blank_line.start()]
        self._position = blank_line.end()
        self._in_content = True
        return self._parse(block.decode("latin-1"))

    def _parse(self, block: str) -> Headers:
        unfolded = re.sub(r"\r?\n[ \t]+", " ", block)
        lines = [line.partition(":") for line in unfolded.split("\n") if line.strip(BLANKS)]
        if len(lines) > self._limits.headers:
            raise MalformedMultipart(f"A part has more than {self._limits.headers} headers.")
        if not all(separator and name.strip(BLANKS) for name, separator, _ in lines):
            raise MalformedMultipart("The headers of a part hold a line that is no header.")
        return Headers([(name.strip(BLANKS), value.strip(BLANKS)) for name, _, value in lines])

    def _find_delimiter(self) -> tuple[int, re.Match[bytes] | None]:
        """Where content ends as far as is known, and what follows the boundary there if that is a delimiter."""
        buffer, delimiter = self._buffer, self._delimiter
        # the first boundary need not have a line break before it
        bare = self._at_start and buffer.startswith(delimiter[2:])
        start = -2 if bare else buffer.find(delimiter, self._position)
        while start != -1:
            after = start + len(delimiter)
            line_rest = _LINE_REST.match(buffer, after)
            if line_rest or _LINE_REST_BEGUN.fullmatch(buffer, after):
                return start, line_rest
            start = buffer.find(delimiter, after)
        # A delimiter holds no other CR than its first byte.
        start = buffer.rfind(b"\r", max(self._position, len(buffer) - len(delimiter) + 1))
        return len(buffer) if start < 0 else start, None

    async def _more(self) -> bool:
        """Add the next chunk to what is left of the buffer; whether there was one."""
        chunk = await anext(self._body, None)
        if chunk is None:
            return False
        self._buffer = self._buffer[self._position :] + chunk if self._position < len(self._buffer) else chunk
        self._position = 0
        return True
