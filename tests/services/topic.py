"""Stands in for an Event Grid topic: takes what Event Grid would take, and fails as it is told to."""

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from aiohttp import web

from tests.server import free_port

KEY = "the-key-of-the-topic"
PATH = "/api/events"
API_VERSION = "2018-01-01"
MAX_BYTES = 1024 * 1024
TYPES = {f"Microsoft.HealthcareApis.DicomImage{what}" for what in ("Created", "Updated", "Deleted")}
DATA = {
    "partitionName": str,
    "imageStudyInstanceUid": str,
    "imageSeriesInstanceUid": str,
    "imageSopInstanceUid": str,
    "serviceHostName": str,
    "sequenceNumber": int,
}

Event = dict[str, Any]


class Fault(StrEnum):
    """What may become of a request instead of being taken and answered."""

    REFUSED = "refused with 500"
    THROTTLED = "refused with 429, try again in an hour"
    CUT = "cut off before it is taken"
    LOST = "taken, but the answer is lost"


@dataclass(slots=True)
class Topic:
    """``batches`` are the events of each request that was taken; ``faults`` becomes of the next requests, in order."""

    url: str
    batches: list[list[Event]] = field(default_factory=list)
    requests: int = 0
    faults: list[Fault] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)

    @property
    def events(self) -> list[Event]:
        return [event for batch in self.batches for event in batch]

    @property
    def sequences(self) -> list[int]:
        return [event["data"]["sequenceNumber"] for event in self.events]

    async def answer(self, request: web.Request) -> web.Response:
        self.requests += 1
        body = await request.read()
        fault = self.faults.pop(0) if self.faults else None
        if fault is Fault.REFUSED:
            return web.Response(status=500)
        if fault is Fault.THROTTLED:
            return web.Response(status=429, headers={"Retry-After": "3600"})
        if fault is not Fault.CUT:
            self._take(request, body)
        if fault in (Fault.CUT, Fault.LOST) and request.transport is not None:
            request.transport.abort()
        return web.Response()

    def _take(self, request: web.Request, body: bytes) -> None:
        """What Event Grid would refuse is noted: the sender must not learn of it, or it would only try again."""
        authorization = request.headers.get("Authorization")
        if authorization is not None:
            self.authorizations.append(authorization)
        self._expect(request.query.get("api-version") == API_VERSION, "api-version")
        self._expect(request.content_type == "application/json", "Content-Type")
        self._expect(request.headers.get("aeg-sas-key") == KEY or authorization is not None, "key")
        self._expect(len(body) < MAX_BYTES, "size")
        batch = json.loads(body)
        self._expect(isinstance(batch, list) and len(batch) > 0, "an array of events")
        for event in batch:
            self._check(event)
        self.batches.append(batch)

    def _check(self, event: Event) -> None:
        self._expect(
            event.keys() == {"id", "subject", "eventType", "eventTime", "dataVersion", "data"}, f"fields {event.keys()}"
        )
        self._expect(str(UUID(event["id"])) == event["id"], "id")
        self._expect(event["eventType"] in TYPES, "eventType")
        self._expect(datetime.fromisoformat(event["eventTime"]).utcoffset() is not None, "eventTime")
        self._expect(event["dataVersion"] == "1", "dataVersion")
        self._expect({name: type(value) for name, value in event["data"].items()} == DATA, "data")

    def _expect(self, holds: bool, what: str) -> None:
        if not holds:
            self.problems.append(what)


@asynccontextmanager
async def serving(secured: ssl.SSLContext | None = None) -> AsyncIterator[Topic]:
    """A topic on a port of its own."""
    port = free_port()
    topic = Topic(f"{'http' if secured is None else 'https'}://127.0.0.1:{port}{PATH}")
    application = web.Application(client_max_size=4 * MAX_BYTES)
    application.router.add_post(PATH, topic.answer)
    runner = web.AppRunner(application, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=secured).start()
    try:
        yield topic
    finally:
        await runner.cleanup()
