"""What one request may take of a process: bytes of its head, and a place among those under way."""

import weakref
from itertools import chain
from types import TracebackType

from azurefunctions.extensions.http.fastapi import Response
from starlette.types import Scope

from functions.answers import StreamedAnswer
from shared.errors import HeadersTooLarge, TooManyRequests, UrlTooLong
from shared.settings import Settings

RETRY_SECONDS = "5"


def require_short(scope: Scope, settings: Settings) -> None:
    """Raises UrlTooLong or HeadersTooLarge for a head over the limits."""
    if len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"]) > settings.max_url_bytes:
        raise UrlTooLong(f"Path and query of a request are at most {settings.max_url_bytes} bytes long.")
    if sum(map(len, chain.from_iterable(scope["headers"]))) > settings.max_header_bytes:
        raise HeadersTooLarge(f"The headers of a request are at most {settings.max_header_bytes} bytes long.")


class Places:
    """Counts the requests that are under way."""

    __slots__ = ("taken",)

    def __init__(self) -> None:
        self.taken = 0

    def leave(self) -> None:
        """Give one back."""
        self.taken -= 1


PLACES = Places()
"""Those of this process."""


class Place:
    """One of ``most`` places, for as long as the context lasts; a streamed answer keeps it to its end.

    Raises TooManyRequests if there is none.
    """

    __slots__ = ("_kept",)

    def __init__(self, most: float) -> None:
        if PLACES.taken >= most:
            raise TooManyRequests(
                "The service answers as many requests as it can. Send the request again later.",
                headers={"Retry-After": RETRY_SECONDS},
            )
        self._kept = False

    def __enter__(self) -> "Place":
        PLACES.taken += 1
        return self

    def keep(self, response: Response) -> None:
        """Stay for as long as an answer is given, if that takes time."""
        if isinstance(response, StreamedAnswer):
            self._kept = True
            response.let_go = weakref.finalize(response, PLACES.leave)
            response.let_go.atexit = False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._kept:
            PLACES.leave()
