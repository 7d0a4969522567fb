"""Waiting for connections to be closed."""

import asyncio
import time

STOP_SECONDS = 10.0


async def connections_closed() -> None:
    """Returns when this event loop has no connection any more.

    The Azure SDK's HTTP client does not wait for the connections that it closes, though some still have to send
    what is left of a request; asyncio warns of those that are still open when the loop ends.
    """
    deadline = time.monotonic() + STOP_SECONDS
    while still_open() and time.monotonic() < deadline:  # noqa: ASYNC110 (there is no event to wait for)
        await asyncio.sleep(0.01)
    assert not still_open()


def still_open() -> bool:
    transports = asyncio.get_running_loop()._transports.values()  # type: ignore[attr-defined]
    return any(transport._sock is not None for transport in transports)
