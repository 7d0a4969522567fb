"""The one place that sees a whole exchange: what came in, what went out, who asked, how long it took.

It tells the listeners before the last of an answer is sent, so that who has an answer can count on its being told.
"""

import logging
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from azurefunctions.extensions.http.fastapi import Request, Response
from starlette.types import Message, Receive

from functions.answers import StreamedAnswer
from functions.auditing import audit
from functions.counting import count
from functions.provenance import LONGEST_REMARK, MOST_REMARKS, provenance
from shared.access import DataAction
from shared.dicom.identifiers import is_partition_name, is_uid, trim_uid
from shared.dicomweb.query_names import is_attribute, query_names
from shared.errors import BadRequest
from shared.exchange import MOST_INSTANCES, MOST_STUDIES, Exchange
from shared.settings import settings
from shared.storage.index.model import InstanceKey
from shared.telemetry import describe
from shared.telemetry.meters import meters
from shared.telemetry.metrics import ACTIVE
from shared.telemetry.sending import sending

if TYPE_CHECKING:
    from shared.telemetry.spans import RequestSpan

logger = logging.getLogger(__name__)

Listener = Callable[[Exchange], Awaitable[None] | None]

LISTENERS: list[Listener] = [audit, count]
"""Who is told of every exchange, in this order. What they raise is logged and goes no further."""

GONE = 499
"""Stands for the status of an answer that was never made, because the client or the service itself went away."""
WITHOUT_BODY = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
METHODS = WITHOUT_BODY | {"POST", "PUT", "PATCH"}
OTHER = "_OTHER"
"""Stands for a method that may be any word."""
VERSIONS = {"v1": 1, "v2": 2}
RESOURCES: dict[str, Callable[[str], Any]] = {
    "tag": is_attribute,
    "operation": re.compile(r"[0-9A-Fa-f]{32}|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}").fullmatch,
    "upload": re.compile(r"[0-9a-f]{32}(?:\.[a-z0-9]{1,8}){0,2}").fullmatch,
}
"""Parameters of paths, beside partition and UIDs, that name something, with what tells whether they are well formed."""


@dataclass(frozen=True, slots=True)
class Door:
    """What is known of a request by the function it came to. ``partition`` is that of paths that name none."""

    function: str
    route: str
    action: DataAction | None
    partition: str | None


class _Counting:
    """Receives as ``receive`` does; ``bytes`` of the body have come so far."""

    __slots__ = ("_receive", "bytes")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.bytes = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self.bytes += len(message.get("body", b""))
        return message


class Observation:
    """One exchange under way. ``request`` is the one to hand on: reading its body counts it."""

    __slots__ = ("_began", "_body", "_door", "_method", "_provenance", "_span", "_started", "request")

    def __init__(self, req: Request, door: Door) -> None:
        self._started = time.time()
        self._began = time.perf_counter()
        self._door = door
        self._body = _Counting(req.receive)
        self._provenance = provenance(req.scope, settings().trusted_proxies)
        self._method = req.method if req.method in METHODS else OTHER
        self._span = self._new_span()
        meters.add(ACTIVE, 1)
        self.request = req if req.method in WITHOUT_BODY else Request(req.scope, self._body)

    @property
    def correlation(self) -> str:
        """The id of this exchange."""
        return self._provenance.correlation

    def require_few_remarks(self) -> None:
        """Raises BadRequest if the client wants to see more in the audit than there is room for."""
        if self._provenance.remarks is None:
            raise BadRequest(
                f"A request takes at most {MOST_REMARKS} headers X-MS-AZUREDICOM-AUDIT-{{name}}, "
                f"each of at most {LONGEST_REMARK} characters."
            )

    async def answer(self, response: Response) -> Response:
        """The answer to send: already told of, or telling when it comes to its end."""
        if isinstance(response, StreamedAnswer):
            status = response.status_code

            async def ended(sent: int, complete: bool) -> None:
                await self._tell(status, sent, complete)

            response.ended = ended
        else:
            await self._tell(response.status_code, len(response.body), complete=True)
        return response

    async def broken_off(self) -> None:
        """There will be no answer."""
        await self._tell(GONE, 0, complete=False)

    def _new_span(self) -> "RequestSpan | None":
        if sending.spans is None:
            return None
        return sending.spans.begin(self._method, self._door.route, self.correlation, self._provenance.traceparent)

    async def _tell(self, status: int, sent: int, complete: bool) -> None:
        meters.add(ACTIVE, -1)
        exchange = self._exchange(status, sent, complete)
        if self._span is not None:
            self._span.end(exchange.function, status, exchange.received, sent)
        for listener in LISTENERS:
            try:
                told = listener(exchange)
                if told is not None:
                    await told
            except Exception as error:
                logger.error("What a request came to could not be told: %s", describe(error))

    def _exchange(self, status: int, sent: int, complete: bool) -> Exchange:
        door, scope, path = self._door, self.request.scope, self.request.path_params
        state = scope.get("state", {})
        stored: Sequence[InstanceKey] = state.get("stored", ())
        return Exchange(
            function=door.function,
            action=door.action,
            method=self._method,
            route=door.route,
            api_version=VERSIONS.get(path.get("version", "").lower()),
            partition=_partition(path["partition"]) if "partition" in path else door.partition,
            study=_uid(path.get("study")),
            series=_uid(path.get("series")),
            instance=_uid(path.get("instance")),
            resource=_resource(path),
            query=query_names(scope["query_string"]),
            instances=tuple(stored[:MOST_INSTANCES]),
            studies=dict(Counter(key.study for key in stored).most_common(MOST_STUDIES)) if stored else {},
            touched=len(stored) + state.get("deleted", 0),
            status=status,
            complete=complete,
            received=self._body.bytes,
            sent=sent,
            started=self._started,
            duration=time.perf_counter() - self._began,
            client=self._provenance.client,
            correlation=self.correlation,
            caller=state.get("caller"),
            remarks=self._provenance.remarks or {},
        )


def note_stored(req: Request, instances: Sequence[InstanceKey]) -> None:
    """Have it told that a request stored these instances; there may be more of them by then."""
    req.state.stored = instances


def note_deleted(req: Request, count: int) -> None:
    """Have it told that a request deleted so many of the instances that its path names."""
    req.state.deleted = count


def _partition(name: str) -> str | None:
    return name if is_partition_name(name) else None


def _resource(path: Mapping[str, str]) -> str | None:
    return next((path[name] for name, is_one in RESOURCES.items() if name in path and is_one(path[name])), None)


def _uid(value: str | None) -> str | None:
    return trim_uid(value) if value is not None and is_uid(value) else None
