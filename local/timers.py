"""Timer functions: each is run when its schedule says."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import azure.functions as func
from azure.functions.timer import TimerRequest
from croniter import croniter


async def run(trigger: Any, handler: Callable[[func.TimerRequest], Awaitable[None]]) -> None:
    """Run the handler by the trigger's NCRONTAB schedule, seconds first, until it fails."""
    while True:
        now = datetime.now(UTC)
        following = croniter(trigger.schedule, now, second_at_beginning=True).get_next(datetime)
        await asyncio.sleep((following - now).total_seconds())
        await handler(TimerRequest(past_due=False))
