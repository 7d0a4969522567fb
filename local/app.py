"""The Function App as an ASGI application: its own HTTP functions behind a Starlette router."""

import os
import re
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
from starlette.routing import Route

from function_app import app as function_app
from local.stopping import when_asked_to_stop
from local.triggers import Triggers
from shared.services.context import process

DATA_FOLDER = "DICOM_LOCAL_DATA"
"""The environment variable by which the workers learn of the host's data folder."""

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


def starlette_path(template: str) -> str:
    """A Functions route template in Starlette's words: ``{*rest}`` is ``{rest:path}``."""
    return "/" + re.sub(r"\{\*(\w+)\}", r"{\1:path}", template)


def specificity(template: str) -> tuple[tuple[int, str], ...]:
    """Sorts literal segments before parameters and those before a catch-all, as ASP.NET routing ranks them."""
    return tuple((_rank(segment), segment) for segment in template.split("/"))


def _rank(segment: str) -> int:
    return 2 if segment.startswith("{*") else 1 if segment.startswith("{") else 0


def _route(function: HttpFunction) -> Route:
    """A route that matches as ASP.NET's do: in any letter case, with or without a slash at the end."""
    route = Route(starlette_path(function.template), function.handler, methods=list(function.methods))
    route.path_regex = re.compile(route.path_regex.pattern.removesuffix("$") + "/?$", re.IGNORECASE)
    return route


def create_app() -> Starlette:
    """The ASGI application that one worker process serves."""
    functions = function_app.get_functions()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        opened = await process.services()
        when_asked_to_stop(opened.watcher.release)
        triggers = Triggers(functions, Path(os.environ[DATA_FOLDER]) / "triggers.lock")
        triggers.start()
        try:
            yield
        finally:
            await triggers.stop()
            await process.close()

    routed = sorted(http_functions(functions), key=lambda function: specificity(function.template))
    return Starlette(routes=[_route(function) for function in routed], lifespan=lifespan)
