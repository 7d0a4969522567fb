"""Work that no request waits for."""

import azure.functions as func

from shared.services.context import process
from shared.services.delete import purge
from shared.services.reconcile import reconcile

blueprint = func.Blueprint()


@blueprint.function_name("purge")
@blueprint.timer_trigger(arg_name="timer", schedule="0 */3 * * * *")
async def purge_timer(timer: func.TimerRequest) -> None:
    """Every three minutes: remove the blobs of instances that were deleted or replaced long enough ago."""
    await purge(await process.services())


@blueprint.function_name("reconcile")
@blueprint.timer_trigger(arg_name="timer", schedule="0 30 3 * * *")
async def reconcile_timer(timer: func.TimerRequest) -> None:
    """Every night: settle what crashes left between blobs and index, and report what is missing."""
    await reconcile(await process.services())
