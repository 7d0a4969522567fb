"""How HTTP functions are registered: one decorator for the plain and the partitioned route, versions v1 and v2.

A handler gets a ``Call``: everything the URL says, checked. What it raises becomes a problem answer here.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import azure.functions as func
from azurefunctions.extensions.http.fastapi import Request, Response
from starlette.requests import ClientDisconnect

from functions.answers import accepts_gzip, bodiless, problem_answer, start_body
from functions.gate import admit, enter_partition
from functions.headers import add_headers
from functions.limits import Place, require_short
from functions.observing import VERSIONS, Door, Observation
from functions.recent import RecentAnswers
from shared.access import DataAction
from shared.dicom.identifiers import PARTITION_NAME_RULE, is_partition_name, is_uid, trim_uid
from shared.dicomweb.query import check_query
from shared.dicomweb.urls import base_url
from shared.errors import BadRequest, InvalidIdentifier, NotFound, ServiceError
from shared.services.context import Services, process
from shared.services.partitions import require_partition
from shared.settings import settings
from shared.storage.index.model import DEFAULT_PARTITION, Scope
from shared.telemetry import describe

logger = logging.getLogger(__name__)

_answers = RecentAnswers()


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a DICOMweb resource.

    ``scope`` is what the path names; ``base_url`` the absolute URL up to and including version and partition.
    """

    request: Request
    services: Services
    api_version: int
    scope: Scope
    base_url: str

    @property
    def accept(self) -> str | None:
        """The Accept header, or the query parameter that overrides it (PS3.18 8.3.3.1)."""
        parameters = {name.lower(): value for name, value in self.request.query_params.items()}
        return parameters.get("accept") or self.request.headers.get("accept")

    @property
    def query(self) -> str:
        """The query string as it was sent, percent-encoded."""
        return self.request.url.query

    @property
    def host(self) -> str | None:
        """The name of the host that the client asked, which warnings are given by (RFC 7234 5.5)."""
        return urlsplit(self.base_url).hostname


Handler = Callable[[Call], Awaitable[Response]]
RequestHandler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class RegisteredRoute:
    """A function's name, route template, methods and data action; None is one that anyone may call."""

    name: str
    template: str
    methods: tuple[str, ...]
    action: DataAction | None


ROUTES: list[RegisteredRoute] = []


def dicomweb(
    blueprint: func.Blueprint,
    name: str,
    methods: Sequence[str],
    route: str,
    action: DataAction,
    *,
    creates_partition: bool = False,
    repeats: bool = False,
) -> Callable[[Handler], Handler]:
    """Register a handler under ``/{version}/{route}`` and ``/{version}/partitions/{partition}/{route}``.

    ``action`` is what the caller must be allowed to do there. ``creates_partition`` tells that a partition of a new
    name is no error, ``repeats`` that the same request gets the same answer while nothing in the index changes.
    GET brings HEAD with it.
    """

    def register(handler: Handler) -> Handler:
        async def plain(req: Request) -> Response:
            call = await _call(req, action, must_exist=not creates_partition)
            return await _recently(name, call, handler) if repeats else await handler(call)

        _register(blueprint, name, methods, Door(name, f"{{version}}/{route}", action, DEFAULT_PARTITION), plain)
        partitioned = Door(name, f"{{version}}/partitions/{{partition}}/{route}", action, None)
        _register(blueprint, f"{name}_in_partition", methods, partitioned, plain)
        return handler

    return register


def service(
    blueprint: func.Blueprint, name: str, methods: Sequence[str], route: str, action: DataAction | None
) -> Callable[[RequestHandler], RequestHandler]:
    """Register a handler that is no DICOMweb resource of a partition, under ``/{route}``.

    Anyone may call it if ``action`` is None.
    """

    def register(handler: RequestHandler) -> RequestHandler:
        _register(blueprint, name, methods, Door(name, route, action, None), handler)
        return handler

    return register


def _register(
    blueprint: func.Blueprint, name: str, methods: Sequence[str], door: Door, handler: RequestHandler
) -> None:
    with_head = (*methods, "HEAD") if "GET" in methods and "HEAD" not in methods else tuple(methods)

    async def function(req: Request) -> Response:
        return await _answer(req, door, handler)

    blueprint.function_name(name)(blueprint.route(route=door.route, methods=list(with_head))(function))
    ROUTES.append(RegisteredRoute(name, door.route, with_head, door.action))


async def _recently(name: str, call: Call, handler: Handler) -> Response:
    revision = call.services.index.revision()
    request = call.request
    if revision is None or "if-none-match" in request.headers or request.method == "HEAD":
        return await handler(call)
    key = (name, call.scope, call.base_url, call.query, call.accept, accepts_gzip(request))
    if (known := _answers.find(key, revision)) is not None:
        return known
    answer = await handler(call)
    _answers.remember(key, revision, answer)
    return answer


async def _answer(req: Request, door: Door, handler: RequestHandler) -> Response:
    observed = Observation(req, door)
    try:
        response = await _handled(observed, door, handler)
    except asyncio.CancelledError:
        await observed.broken_off()
        raise
    add_headers(response, req, settings())
    response.raw_headers.append((b"x-request-id", observed.correlation.encode()))
    return await observed.answer(await bodiless(response) if req.method == "HEAD" else response)


async def _handled(observed: Observation, door: Door, handler: RequestHandler) -> Response:
    req = observed.request
    try:
        require_short(req.scope, settings())
        observed.require_few_remarks()
        await admit(req, door.action)
        check_query(req.url.query)
        with Place(settings().max_requests if door.action else math.inf) as place:
            response = await handler(req)
            await start_body(response)
            place.keep(response)
    except ServiceError as error:
        if error.status >= 500:
            logger.error("%s %s failed: %s", req.method, door.route, describe(error))
        return problem_answer(error, req)
    except ClientDisconnect:
        return problem_answer(BadRequest("The request body ended before it was complete."), req)
    except Exception as error:
        logger.error("%s %s failed: %s", req.method, door.route, describe(error))
        return problem_answer(error, req)
    return response


async def _call(req: Request, action: DataAction, *, must_exist: bool) -> Call:
    path = req.path_params
    version = api_version(req)
    partition = path.get("partition")
    if partition is not None and not is_partition_name(partition):
        raise InvalidIdentifier(PARTITION_NAME_RULE)
    scope = Scope(
        partition or DEFAULT_PARTITION,
        *(_uid(path.get(level), level) for level in ("study", "series", "instance")),
    )
    services = await process.services()
    enter_partition(req, action, scope.partition, named=partition is not None, must_exist=must_exist)
    if partition is not None and must_exist:
        await require_partition(services, partition)
    return Call(req, services, version, scope, api_url(req, partition))


def api_version(req: Request) -> int:
    """The API version that the path names. Raises NotFound for one that does not exist."""
    version = VERSIONS.get(req.path_params["version"].lower())
    if version is None:
        raise NotFound("There is no such version of this API: use v1 or v2.")
    return version


def api_url(req: Request, partition: str | None = None) -> str:
    """The absolute URL up to and including version and partition."""
    version = req.path_params["version"].lower()
    return base_url(req.scope, req.headers, settings().public_url, version, partition)


def _uid(value: str | None, level: str) -> str | None:
    if value is None:
        return None
    if not is_uid(value):
        raise InvalidIdentifier(
            f"The {level} UID in the path failed validation for VR 'UI': DICOM Identifier is invalid. "
            "It takes 1 to 64 digits and dots and ends in a digit."
        )
    return trim_uid(value)
