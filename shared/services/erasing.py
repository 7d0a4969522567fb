"""Erasing the values that instances had for an extended query tag, once it is removed."""

from shared.services.context import Services
from shared.services.pacing import Pace
from shared.services.running import Run, Work

ERASE = "eraseExtendedQueryTag"
BATCH = 1000


async def erase(services: Services, run: Run) -> None:
    """Erase them bit by bit. The input's ``key`` is the tag's."""
    pace = Pace(services, run)
    erased: int = run.progress.get("erased", 0)
    while count := await services.index.tags.erase(run.input["key"], BATCH):
        erased += count
        await run.checkpoint({"erased": erased})
        await pace.step()


ERASING = Work(erase, can_be_canceled=False)
