"""What the tests of the index in SQLite do over and over."""

import asyncio
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from shared.dicom.model import Level
from shared.storage.index.model import Attributes, InstanceRecord
from shared.storage.index.sqlite.turn import Turn
from tests.contract.records import PATHS, record


def unwritable(instance: str) -> InstanceRecord:
    """A record that passes everything until SQLite refuses to bind its number."""
    it = record("2", "2.1", instance)
    own = it.levels[Level.INSTANCE]
    return replace(
        it,
        levels={**it.levels, Level.INSTANCE: Attributes(own.dataset, {PATHS["InstanceNumber"]: 2**70})},
    )


async def held_back(path: Path, *waiting: Any) -> list[Any]:
    """Let the changes pile up behind the lock, so that they share a transaction; gives what became of each."""
    with closing(Turn(path)) as turn:
        with turn.taken():
            tasks = [asyncio.ensure_future(change) for change in waiting]
            await asyncio.sleep(0.2)
            assert not any(task.done() for task in tasks)
        return await asyncio.gather(*tasks, return_exceptions=True)
