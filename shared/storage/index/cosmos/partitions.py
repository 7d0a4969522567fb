"""The catalog of data partitions."""

import time
from collections.abc import Iterable

from shared.storage.index.cosmos.container import Container
from shared.storage.index.cosmos.patience import Patience
from shared.storage.index.cosmos.sql import Query
from shared.storage.index.model import DEFAULT_PARTITION, Partition

PARTITION = "partition"
KEY = [PARTITION]


class Partitions:
    """Partitions are created by the first commit that names them, and never removed."""

    def __init__(self, catalog: Container) -> None:
        self._catalog = catalog
        self._known: set[str] = set()

    async def all(self) -> list[Partition]:
        """All partitions by key."""
        found = await self._catalog.query(Query("c.id, c.key, c.created"), KEY)
        partitions = [Partition(each["key"], each["id"], each["created"]) for each in found if "key" in each]
        return sorted(partitions, key=lambda each: each.key)

    async def ensure(self, names: Iterable[str]) -> None:
        """Create those that do not exist."""
        for name in names:
            if name not in self._known:
                await self._create(name)
                self._known.add(name)

    async def _create(self, name: str) -> None:
        """The next key is claimed in the batch that creates the partition, so that no two get the same."""
        patience = Patience()
        while True:
            existing = await self.all()
            if name in {each.name for each in existing}:
                return
            key = 1 if name == DEFAULT_PARTITION else max(each.key for each in existing) + 1
            partition = {"id": name, "kind": PARTITION, "key": key, "created": time.time()}
            claim = {"id": f"~{key}", "kind": PARTITION}
            created = await self._catalog.batch([("create", (claim,), {}), ("create", (partition,), {})], KEY, patience)
            if created is not None:
                return
            await patience.pause()
