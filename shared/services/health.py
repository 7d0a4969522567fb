"""Whether the service can store and search: each dependency asked in turn."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from shared.errors import StorageError
from shared.services.context import Services


@dataclass(frozen=True, slots=True)
class Check:
    """One dependency's state, in the words of the health report. Without an ``essential`` one nothing works."""

    name: str
    healthy: bool
    description: str
    essential: bool = True


async def checks(services: Services) -> list[Check]:
    """Write and read in every store; ask how the audit stands."""
    return [
        await _check("blobs", services.blobs.check, "Written and read back."),
        await _check("index", services.index.check, "Written and read back."),
        await _check("audit", services.audit.check, "All records are kept.", essential=False),
    ]


async def _check(name: str, probe: Callable[[], Awaitable[None]], well: str, *, essential: bool = True) -> Check:
    try:
        await probe()
    except StorageError as error:
        return Check(name, healthy=False, description=error.detail, essential=essential)
    return Check(name, healthy=True, description=well, essential=essential)
