"""Work that no request waits for."""

import azure.functions as func

from shared.services import operations
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


@blueprint.function_name("operations")
@blueprint.timer_trigger(arg_name="timer", schedule="*/30 * * * * *")
async def operations_timer(timer: func.TimerRequest) -> None:
    """Every half minute: go on with the operations that nobody works at, for a few minutes at most."""
    await operations.run_due(await process.services())


@blueprint.function_name("forget_operations")
@blueprint.timer_trigger(arg_name="timer", schedule="0 15 3 * * *")
async def forget_operations_timer(timer: func.TimerRequest) -> None:
    """Every night: forget the operations that ended long ago."""
    await operations.forget(await process.services())
