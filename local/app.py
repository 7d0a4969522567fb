"""The Function App as an ASGI application: its own HTTP functions, found by their route templates."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure.functions.decorators.constants import HTTP_TRIGGER
from azure.functions.decorators.function_app import Function
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Lifespan, Receive, Scope, Send

from function_app import app as function_app
from local.routing import Routes
from local.stopping import when_asked_to_stop
from local.triggers import Triggers
from shared.services.context import process
from shared.telemetry.meters import meters

DATA_FOLDER = "DICOM_LOCAL_DATA"
"""The environment variable by which the workers learn of the host's data folder."""

ANYWHERE = "OPTIONS"
"""A method of every path; what takes it there answers those that no function takes, such as TRACE."""

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class HttpFunction:
    """One HTTP-triggered function: its route template as Functions writes it, its methods, its code."""

    name: str
    template: str
    methods: tuple[str, ...]
    handler: Handler


def http_functions(functions: Iterable[Function]) -> Iterator[HttpFunction]:
    """The HTTP functions among all."""
    for function in functions:
        trigger: Any = function.get_trigger()
        if trigger.type == HTTP_TRIGGER:
            methods = tuple(getattr(method, "value", method) for method in trigger.methods)
            yield HttpFunction(str(function.get_function_name()), trigger.route, methods, function.get_user_function())


class Application:
    """HTTP functions as an ASGI application: each request goes to the one whose route and methods match.

    Functions answer every failure themselves, so nothing stands between them and the server.
    """

    def __init__(self, functions: Iterable[HttpFunction], lifespan: Lifespan[Starlette] | None = None) -> None:
        self._routes: Routes[Handler] = Routes()
        self._lifespan = Starlette(lifespan=lifespan)
        for function in functions:
            self._routes.add(function.template, function.methods, function.handler)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._lifespan(scope, receive, send)
            return
        found = self._routes.find(scope["method"], scope["path"]) or self._routes.find(ANYWHERE, scope["path"])
        if found is None:
            await Response(status_code=501)(scope, receive, send)
            return
        handler, scope["path_params"] = found
        response = await handler(Request(scope, receive))
        await response(scope, receive, send)


def create_app() -> Application:
    """The ASGI application that one worker process serves."""
    functions = function_app.get_functions()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        data = Path(os.environ[DATA_FOLDER])
        meters.share(data / "metrics")
        opened = await process.services()
        when_asked_to_stop(opened.watcher.release)
        triggers = Triggers(functions, data / "triggers.lock")
        triggers.start()
        try:
            yield
        finally:
            await triggers.stop()
            await process.close()
            meters.close()

    return Application(http_functions(functions), lifespan)
