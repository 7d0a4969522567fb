"""A process that gives changes their numbers, again and again: ``python -m tests.faults.sequencer``, to be killed."""

import asyncio

from shared.services.context import open_services
from shared.settings import settings

PAUSE_SECONDS = 0.02


async def main() -> None:
    """Number what waits, for ever."""
    services = await open_services(settings())
    print("ready", flush=True)
    while True:
        await services.index.feed.number()
        await asyncio.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    asyncio.run(main())
