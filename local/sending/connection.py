"""One request to a service and its answer, tried again as long as another time may be better."""

import asyncio
import email.utils
import itertools
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

import aiohttp
from yarl import URL

from local.sending.answers import Answer, Trouble, read
from local.sending.body import Body
from local.sending.model import Stop

_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=300)
_EXPECT_SECONDS = 20.0
"""A server that has not said by then that it will take a body does not know that it was asked."""

_ATTEMPTS = {Trouble.UNREACHABLE: 8, Trouble.BUSY: 8, Trouble.BROKEN: 3}
_ATTEMPTS_TO_MEET = 3
_FIRST_DELAY = 0.5
_LONGEST_DELAY = 30.0
_LONGEST_WAIT = 300.0
"""In seconds, of what a server may ask for with Retry-After."""
_GIVEN_UP_IN_A_ROW = 20
"""So many requests, and the server is taken for broken."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request; ``content`` gives its body anew for each attempt. ``alone``: it stores one instance.

    ``expects``: the server is to say that it will take the body before that is sent (RFC 9110 10.1.1).
    """

    method: str
    url: str
    headers: Mapping[str, str]
    content: Callable[[Body], AsyncIterator[bytes]] | None = None
    alone: bool = True
    expects: bool = False


def open_session(parallel: int) -> aiohttp.ClientSession:
    """For as many requests at a time; proxies are those that the environment names."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=parallel), timeout=_TIMEOUT, trust_env=True)


class Connection:
    """Exchanges requests and answers. ``sent`` hears of each chunk's size as it leaves."""

    def __init__(self, session: aiohttp.ClientSession, sent: Callable[[int], None]) -> None:
        self._session = session
        self._sent = sent
        self._answers_expectations = True
        self._met = False
        self._given_up = 0
        self._not_before = 0.0

    async def tried(self, request: Request) -> Answer:
        """The answer, after as many attempts as are due. Raises Stop if the server is out of reach or broken."""
        for attempt in itertools.count(1):
            await asyncio.sleep(max(0.0, self._not_before - time.monotonic()))
            answer = await self._exchange(request)
            if answer.trouble is None:
                self._given_up = 0
                break
            if attempt >= self._attempts(answer.trouble):
                self._give_up(answer)
                break
            self._not_before = max(self._not_before, time.monotonic() + min(answer.wait, _LONGEST_WAIT))
            await asyncio.sleep(min(_FIRST_DELAY * 2 ** (attempt - 1), _LONGEST_DELAY))
        return answer

    def _attempts(self, trouble: Trouble) -> int:
        return _ATTEMPTS[trouble] if self._met else min(_ATTEMPTS[trouble], _ATTEMPTS_TO_MEET)

    def _give_up(self, answer: Answer) -> None:
        self._given_up += 1
        if answer.trouble is Trouble.UNREACHABLE or self._given_up >= _GIVEN_UP_IN_A_ROW:
            raise Stop(answer.reason)

    async def _exchange(self, request: Request) -> Answer:
        expects = request.expects and self._answers_expectations
        patience = asyncio.timeout(_EXPECT_SECONDS if expects else None)
        body = Body(lambda: patience.reschedule(None), self._sent)
        try:
            async with patience:
                return await self._answer(request, body, expects)
        except aiohttp.ClientConnectorError as error:
            return _none(f"The server can't be reached: {error}.", Trouble.UNREACHABLE)
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            if body.fault is not None:
                return Answer(0, str(body.fault), unreadable=body.fault.file)
            if patience.expired():
                self._answers_expectations = False
                return await self._exchange(request)
            reached = not isinstance(error, aiohttp.ConnectionTimeoutError)
            return _none(_why(error), Trouble.BROKEN if reached else Trouble.UNREACHABLE)

    async def _answer(self, request: Request, body: Body, expects: bool) -> Answer:
        async with self._session.request(
            request.method,
            URL(request.url, encoded=True),
            headers=request.headers,
            data=request.content(body) if request.content else None,
            expect100=expects,
            allow_redirects=False,
        ) as response:
            self._met = True
            content = await response.read()
            if request.content and not body.ended:
                response.close()
            return read(response.status, content, _seconds(response.headers.get("Retry-After", "")), request.alone)


def _none(reason: str, trouble: Trouble) -> Answer:
    return Answer(0, reason, trouble=trouble)


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "The server did not answer in time."
    return f"The connection broke: {error or type(error).__name__}."


def _seconds(retry_after: str) -> float:
    """The seconds that the header field Retry-After asks to wait, 0 without it (RFC 9110 10.2.3)."""
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return 0.0
