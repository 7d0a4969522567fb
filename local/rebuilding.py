"""Make the index anew from the stored files, into a place that is still empty."""

import asyncio
import sys
import time

from tqdm import tqdm

from shared.errors import ServiceError
from shared.services.context import close_services, open_services
from shared.services.rebuild import Rebuilt, rebuild
from shared.settings import settings


def main() -> int:
    """Rebuild with a progress bar; gives the exit status: 0 when every file is in the index, 1 when some can't be."""
    started = time.monotonic()
    try:
        outcome = asyncio.run(_rebuild())
    except ServiceError as error:
        print(error.detail, file=sys.stderr)
        return 2
    for each in outcome.unreadable:
        print(f"{each.name} can't be indexed: {each.reason}", file=sys.stderr)
    print(
        f"{outcome.indexed} instances indexed in {time.monotonic() - started:.1f} s. "
        f"{outcome.superseded} files hold replaced, refused or deleted versions, "
        f"{len(outcome.unreadable)} can't be read."
    )
    return 1 if outcome.unreadable else 0


async def _rebuild() -> Rebuilt:
    services = await open_services(settings())
    try:
        with tqdm(unit=" files", desc="Rebuilding the index") as bar:

            def progress(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            return await rebuild(services, progress)
    finally:
        await close_services(services)
