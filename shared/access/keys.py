"""The keys of one issuer, remembered. However many tokens come, the issuer is asked seldom and by one at a time."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from shared.access.discovery import KeysUnavailable
from shared.access.jwks import SigningKey
from shared.errors import ServiceUnavailable

logger = logging.getLogger(__name__)

RETRY_SECONDS = 10.0
"""Between two times that the issuer is asked, whatever the reason."""
FRESH_SECONDS = 3600.0
"""Age of the keys from which they are fetched anew, so that one that was withdrawn is forgotten."""
KEPT_SECONDS = 24 * 3600.0
"""Age of the keys up to which they are used while the issuer can't be asked."""


class IssuerKeys:
    """``fetch`` asks the issuer, and raises KeysUnavailable; ``name`` is what the log calls it."""

    def __init__(
        self,
        name: str,
        fetch: Callable[[], Awaitable[dict[str, SigningKey]]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str, SigningKey] = {}
        self._fetched = self._asked = float("-inf")
        self._failing = False
        self._refreshing: asyncio.Task[None] | None = None

    async def key(self, key_id: str) -> SigningKey | None:
        """The key of that id; None if the issuer has none such.

        A new id sends for the keys, and waits for them. So does age, but while the issuer fails those that are known
        are used meanwhile. Raises ServiceUnavailable if the issuer can't be asked and the key is not known.
        """
        age = self._clock() - self._fetched
        if age > KEPT_SECONDS:
            self._keys = {}
        known = key_id in self._keys
        if not known or age > FRESH_SECONDS:
            self._start_refresh()
            if self._refreshing and not (known and self._failing):
                await asyncio.shield(self._refreshing)
        key = self._keys.get(key_id)
        if key is None and self._failing:
            raise ServiceUnavailable(
                "The token can't be checked now, as its issuer does not give its keys. Try again.",
                headers={"Retry-After": str(int(RETRY_SECONDS))},
            )
        return key

    async def check(self) -> None:
        """Raises ServiceUnavailable if the issuer does not give its keys. It is asked where that is due, or failed."""
        if self._failing or self._clock() - self._fetched > FRESH_SECONDS:
            self._start_refresh()
            if self._refreshing:
                await asyncio.shield(self._refreshing)
        if self._failing or not self._keys:
            raise ServiceUnavailable(f"The issuer {self._name} does not give its keys.")

    def _start_refresh(self) -> None:
        now = self._clock()
        if self._refreshing is None and now - self._asked >= RETRY_SECONDS:
            self._asked = now
            self._refreshing = asyncio.create_task(self._refresh())

    async def _refresh(self) -> None:
        failing = True
        try:
            self._keys = await self._fetch()
            self._fetched = self._clock()
            failing = False
        except KeysUnavailable as error:
            logger.warning("The issuer %s does not give its keys: %s", self._name, error)
        finally:
            self._failing = failing
            self._refreshing = None
