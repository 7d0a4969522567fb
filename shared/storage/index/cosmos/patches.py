"""Patching documents of a study, each on a condition."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from shared.storage.index.cosmos.container import Container, Key, Operation
from shared.storage.index.cosmos.patience import Patience

MOST_CHANGES = 10
"""In one patch."""
MOST_OPERATIONS = 100
"""In one batch."""


def patch(document: str, condition: str, put: dict[str, Any], removed: Iterable[str] = ()) -> Operation:
    """Set properties and remove others, by their paths, if a condition holds for the document, which it names ``c``."""
    changes: list[dict[str, Any]] = [{"op": "set", "path": path, "value": value} for path, value in put.items()]
    changes += [{"op": "remove", "path": path} for path in removed]
    return "patch", (document, changes), {"filter_predicate": f"FROM c WHERE {condition}"}


async def apply(index: Container, key: Key, plan: Callable[[Patience], Awaitable[Sequence[Operation]]]) -> None:
    """Carry out the patches that ``plan`` gives; where a condition does not hold any more it is asked again."""
    patience = Patience()
    while not await _carried_out(index, key, await plan(patience), patience):
        await patience.pause()


async def _carried_out(index: Container, key: Key, operations: Sequence[Operation], patience: Patience) -> bool:
    for start in range(0, len(operations), MOST_OPERATIONS):
        if await index.batch(operations[start : start + MOST_OPERATIONS], key, patience) is None:
            return False
    return True
