"""Data partitions: created by the first store that names them, never removed."""

from shared.errors import BadRequest
from shared.services.context import Services
from shared.storage.index.model import Partition


async def partitions(services: Services) -> list[Partition]:
    """All partitions by key."""
    return await services.index.partitions()


async def require_partition(services: Services, name: str) -> None:
    """Raises BadRequest when no such partition exists."""
    if name not in {partition.name for partition in await services.index.partitions()}:
        raise no_such_partition()


def no_such_partition() -> BadRequest:
    """Also what is answered of a partition to those who may not know that it exists."""
    return BadRequest("Specified PartitionName does not exist.")
