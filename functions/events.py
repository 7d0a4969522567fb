"""Telling others what changes."""

import azure.functions as func

from shared.services.context import process
from shared.services.events import publish

blueprint = func.Blueprint()


@blueprint.function_name("publish_events")
@blueprint.timer_trigger(arg_name="timer", schedule="*/10 * * * * *")
async def publish_events(timer: func.TimerRequest) -> None:
    """Every ten seconds: send what happened to the Event Grid topic, if there is one."""
    await publish(await process.services())
