"""Trying again: what Cosmos DB refuses for a moment, and what the network loses."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

from shared.errors import StorageError

DEADLINE_S = 30.0
"""From the first try of a call to the last."""
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0

REQUEST_TIMEOUT, GONE, TOO_MANY_REQUESTS, RETRY_WITH, UNAVAILABLE = 408, 410, 429, 449, 503
TRANSIENT = {REQUEST_TIMEOUT, GONE, TOO_MANY_REQUESTS, RETRY_WITH, UNAVAILABLE}

_RETRY_AFTER_MS = "x-ms-retry-after-ms"

T = TypeVar("T")


class Refused(StorageError):
    """Cosmos DB will not do this, however often it is asked."""


class Patience:
    """The tries that one call of the port makes, all before the same deadline."""

    def __init__(self, seconds: float | None = None) -> None:
        """``seconds`` is DEADLINE_S by default."""
        self._end = asyncio.get_running_loop().time() + (DEADLINE_S if seconds is None else seconds)
        self._pauses = 0

    async def run(self, call: Callable[[], Awaitable[T]]) -> T:
        """The result of a call, which must be safe to make twice.

        Raises Refused, or StorageError past the deadline. Answers that tell of the state of what was
        asked for (404, 409, 412) are not failures: they are the caller's to handle, within ``call``.
        """
        while True:
            try:
                async with asyncio.timeout_at(self._end):
                    return await call()
            except TimeoutError as error:
                raise StorageError("The index does not answer.") from error
            except AzureError as error:
                if not _is_transient(error):
                    raise _final(error) from error
                await self.pause(error)

    async def pause(self, cause: Exception | None = None) -> None:
        """Wait for as long as the answer asks, or else a little longer each time. Raises StorageError if too long."""
        bound = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**self._pauses)
        self._pauses += 1
        asked = _retry_after(cause)
        seconds = bound * random.uniform(0.5, 1.0) if asked is None else asked  # noqa: S311 - no secret  # nosec B311
        if asyncio.get_running_loop().time() + seconds > self._end:
            raise StorageError("The index is overloaded or failing. Send the request again later.") from cause
        await asyncio.sleep(seconds)


def status_of(error: BaseException | None) -> int:
    """The HTTP status of an error of the SDK; 0 where there was no answer."""
    return int(getattr(error, "status_code", None) or 0)


def _is_transient(error: AzureError) -> bool:
    if isinstance(error, HttpResponseError):
        # below 400: the connection was cut in the middle of the answer
        return status_of(error) in TRANSIENT or status_of(error) < 400
    return isinstance(error, ServiceRequestError | ServiceResponseError)


def _retry_after(error: BaseException | None) -> float | None:
    headers: Any = getattr(error, "headers", None) or {}
    milliseconds = headers.get(_RETRY_AFTER_MS)
    return float(milliseconds) / 1000 if milliseconds else None


def _final(error: AzureError) -> StorageError:
    if isinstance(error, ClientAuthenticationError) or status_of(error) in (401, 403):
        return Refused("The index did not accept the service's credentials.")
    return Refused("The index failed.")
