"""Having metrics, traces and logs sent, if the environment says to whom. Otherwise nothing of it is even imported."""

import asyncio
import logging
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from shared.telemetry.describe import describe
from shared.telemetry.destinations import is_any
from shared.telemetry.meters import Meters, meters
from shared.telemetry.metrics import Family

if TYPE_CHECKING:
    from shared.telemetry.pipeline import Pipeline
    from shared.telemetry.spans import Spans

logger = logging.getLogger(__name__)

INTERVAL = "OTEL_METRIC_EXPORT_INTERVAL"
"""The environment variable that says how many milliseconds pass between two times that metrics are sent."""
DEFAULT_INTERVAL_MS = 60_000
OBSERVE_SECONDS = 10.0
FLUSH_SECONDS = 3.0
"""How long a process that ends waits for what it has not sent yet."""


class Sending:
    """What one process sends: it is put together, and sent, by a thread that nobody waits for."""

    spans: "Spans | None" = None
    """Makes spans, once and for as long as somebody wants them."""

    def __init__(self, measured: Meters) -> None:
        self._meters = measured
        self._stopping = threading.Event()
        self._ended: asyncio.Event | None = None

    def start(self) -> None:
        """Begin to send, if anything is to be sent."""
        if self._ended is None and is_any():
            self._stopping.clear()
            self._ended = asyncio.Event()
            what = asyncio.get_running_loop(), self._ended, self._meters.own()
            threading.Thread(target=self._work, args=what, name="telemetry", daemon=True).start()

    async def close(self) -> None:
        """Send what is left, if that can be done at once, and nothing more."""
        ended, self._ended = self._ended, None
        if ended is not None:
            self._stopping.set()
            self.spans = None
            with suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), FLUSH_SECONDS)

    def _work(self, loop: asyncio.AbstractEventLoop, ended: asyncio.Event, counted: list[Family]) -> None:
        try:
            from shared.telemetry.pipeline import Pipeline

            self._send_all(Pipeline(counted), loop)
        except Exception as error:
            logger.error("Telemetry can't be sent: %s", describe(error))
        finally:
            with suppress(RuntimeError):  # the loop may have ended before
                loop.call_soon_threadsafe(ended.set)

    def _send_all(self, pipeline: "Pipeline", loop: asyncio.AbstractEventLoop) -> None:
        interval = float(os.environ.get(INTERVAL, DEFAULT_INTERVAL_MS)) / 1000
        if not self._stopping.is_set():
            self.spans = pipeline.spans
        while not self._stopping.wait(interval):
            pipeline.send([*self._meters.own(), *self._observed(loop)])
        pipeline.send(self._meters.own())
        pipeline.close()

    def _observed(self, loop: asyncio.AbstractEventLoop) -> list[Family]:
        asked = asyncio.run_coroutine_threadsafe(self._meters.observed(), loop)
        try:
            return asked.result(OBSERVE_SECONDS)
        except TimeoutError:
            asked.cancel()
            return []


sending = Sending(meters)
"""What this process sends."""
