"""Whether the service can store and search: each dependency asked in turn."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from shared.errors import StorageError
from shared.services.context import Services


@dataclass(frozen=True, slots=True)
class Check:
    """One dependency's state, in the words of the health report."""

    name: str
    healthy: bool
    description: str


async def checks(services: Services) -> list[Check]:
    """Write and read in every store."""
    return [
        await _check("blobs", services.blobs.check),
        await _check("index", services.index.check),
    ]


async def _check(name: str, probe: Callable[[], Awaitable[None]]) -> Check:
    try:
        await probe()
    except StorageError as error:
        return Check(name, healthy=False, description=error.detail)
    return Check(name, healthy=True, description="Written and read back.")
