"""Functions that changed documents trigger: the index on Cosmos DB tells of them."""

from collections.abc import Awaitable, Callable
from typing import Any

import azure.functions as func

from shared.services.context import process


async def run(_: Any, handler: Callable[[func.DocumentList], Awaitable[None]]) -> None:
    """Hand over what changes for good; returns at once if the index is none that tells."""
    index = (await process.services()).index
    changes = getattr(index, "changes", None)
    if changes is not None:
        async for documents in changes():
            await handler(func.DocumentList(map(func.Document.from_dict, documents)))
