"""Stands in for the Functions host: serves an app through Microsoft's own Python worker library.

    python driver.py [--specialize] APP_FOLDER PORT

It sends the worker what the host sends at start, listens on 127.0.0.1:PORT, routes each request as the host
does, and forwards it to the worker's web server while the invocation of the same id runs. The environment
holds the application settings. Runs on Python 3.13 with the packages of requirements.txt beside it.
Under ``/admin`` it tells, as the host does:

    GET  /admin/host/status         what the worker answered at start, requests in flight, every failure so far
    GET  /admin/functions           the functions that the worker indexed
    POST /admin/functions/{name}    invokes a function that HTTP doesn't trigger; the body is its trigger's data
"""

import argparse
import asyncio
import json
import logging
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, MutableMapping
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import azure_functions_runtime as library
import httpx
import uvicorn
from google.protobuf.json_format import MessageToDict
from messages import protos
from routing import HttpRoute, RouteTable

HOST = "127.0.0.1"
HOST_CAPABILITIES = {"FunctionDataCache": "true", "MultiStream": "10"}
INVOCATION_HEADER = "x-ms-invocation-id"
HOP_BY_HOP = {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
REPLACED = {b"host", b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-prefix"}
FORWARD_SECONDS = 240.0
"""How long the host waits for the worker to send something."""
WORKER_KEEP_ALIVE = 1.0
"""Seconds after which an idle connection is not used again; uvicorn closes it after five."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class WorkerTask(asyncio.Task[Any]):
    """Worker processes run every task as one of a class of their own; nothing may count on the usual one."""


class ClientGone(Exception):
    """The client closed its connection before it had the whole answer."""


class Failures(logging.Handler):
    """Keeps what went wrong without the client hearing of it: invocations that failed and errors logged."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(self.format(record))


class Worker:
    """The worker library with one app loaded."""

    def __init__(self, app_folder: Path, failures: Failures) -> None:
        self._app_folder = app_folder
        self._failures = failures
        self.init: dict[str, Any] = {}
        self.functions: dict[str, dict[str, Any]] = {}

    async def start(self, settings: dict[str, str] | None) -> None:
        """Init, metadata and load, in the host's order. Raises RuntimeError at the first that fails.

        With settings the worker is one that was started before it was known for what app, as cloud plans keep
        them ready, and becomes this app's.
        """
        library.start_threadpool_executor()
        self.init = await (self._init() if settings is None else self._specialize(settings))
        request = protos.FunctionsMetadataRequest(function_app_directory=str(self._app_folder))
        answer = await self._ask(library.functions_metadata_request, functions_metadata_request=request)
        for function in answer["function_metadata_results"]:
            request = protos.FunctionLoadRequest(function_id=function["function_id"])
            await self._ask(library.function_load_request, function_load_request=request)
            self.functions[function["name"]] = function

    async def _init(self) -> dict[str, Any]:
        request = protos.WorkerInitRequest(
            host_version="4.0", capabilities=HOST_CAPABILITIES, function_app_directory=str(self._app_folder)
        )
        return await self._ask(library.worker_init_request, worker_init_request=request)

    async def _specialize(self, settings: dict[str, str]) -> dict[str, Any]:
        request = protos.FunctionEnvironmentReloadRequest(
            environment_variables=settings, function_app_directory=str(self._app_folder)
        )
        handler = library.function_environment_reload_request
        return await self._ask(handler, function_environment_reload_request=request)

    @property
    def http_uri(self) -> str:
        """Where the worker's own web server listens."""
        return str(self.init["capabilities"]["HttpUri"])

    def routes(self) -> list[HttpRoute]:
        """The routes of the functions that HTTP triggers, with the prefix of host.json, which is ``api`` by default."""
        settings = json.loads((self._app_folder / "host.json").read_text())
        prefix = settings.get("extensions", {}).get("http", {}).get("routePrefix", "api")
        return [
            HttpRoute(name, f"{prefix}/{trigger['route']}".removeprefix("/"), frozenset(trigger["methods"]))
            for name in self.functions
            if (trigger := self.trigger(name))["type"] == "httpTrigger"
        ]

    def trigger(self, name: str) -> dict[str, Any]:
        """The trigger binding of a function."""
        bindings = map(json.loads, self.functions[name]["raw_bindings"])
        return next(binding for binding in bindings if binding["type"].lower().endswith("trigger"))

    def trigger_data(self, name: str, body: bytes) -> Any:
        """What the host sends: JSON, or for a function that takes a client of a blob what that is made from."""
        if not self.trigger(name).get("properties", {}).get("SupportsDeferredBinding"):
            return protos.TypedData(json=body.decode())
        client = protos.ModelBindingData(
            version="1.0", source="AzureStorageBlobs", content_type="application/json", content=body
        )
        return protos.TypedData(model_binding_data=client)

    async def invoke(self, name: str, invocation: str, data: Any, metadata: dict[str, Any]) -> str | None:
        """Run a function; gives the message of what it failed with."""
        request = protos.InvocationRequest(
            invocation_id=invocation,
            function_id=self.functions[name]["function_id"],
            input_data=[protos.ParameterBinding(name=self.trigger(name)["name"], data=data)],
            trigger_metadata=metadata,
        )
        try:
            await self._ask(library.invocation_request, invocation_request=request)
        except RuntimeError as error:
            self._failures.found.append(f"{name}: {error}")
            return str(error)
        return None

    async def _ask(self, handler: Callable[[Any], Awaitable[Any]], **message: Any) -> dict[str, Any]:
        request = protos.StreamingMessage(request_id=str(uuid4()), **message)
        answer = await handler(SimpleNamespace(request=request, properties={"host": HOST, "protos": protos}))
        if answer.result.status != protos.StatusResult.Success:
            raise RuntimeError(answer.result.exception.message + "\n" + answer.result.exception.stack_trace)
        told: dict[str, Any] = MessageToDict(
            answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
        return told


class FrontEnd:
    """The host's side that clients see, as an ASGI application."""

    def __init__(self, worker: Worker, failures: Failures) -> None:
        self._worker = worker
        self._failures = failures
        self._table = RouteTable(worker.routes())
        self._in_flight = 0
        limits = httpx.Limits(max_connections=None, keepalive_expiry=WORKER_KEEP_ALIVE)
        transport = httpx.AsyncHTTPTransport(limits=limits, retries=10)
        self._client = httpx.AsyncClient(base_url=worker.http_uri, transport=transport, timeout=FORWARD_SECONDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["raw_path"].decode()
        if path.startswith("/admin/"):
            await self._administer(scope["method"], path, receive, send)
        elif (found := self._table.find(scope["method"], path)) is None:
            await answer(send, 404)
        else:
            self._in_flight += 1
            try:
                await self._invoke(*found, scope, receive, send)
            finally:
                self._in_flight -= 1

    async def _administer(self, method: str, path: str, receive: Receive, send: Send) -> None:
        name = path.removeprefix("/admin/functions/")
        if method == "POST" and name in self._worker.functions:
            body = b"".join([chunk async for chunk in Body(receive)])
            error = await self._worker.invoke(name, str(uuid4()), self._worker.trigger_data(name, body), {})
            await answer(send, 200 if error is None else 500, {"error": error})
        elif path == "/admin/functions":
            await answer(send, 200, list(self._worker.functions.values()))
        elif path == "/admin/host/status":
            await answer(send, 200, self._status())
        else:
            await answer(send, 404)

    def _status(self) -> dict[str, Any]:
        return {
            "python": ".".join(map(str, sys.version_info[:2])),
            "packages": {name: version(name) for name in ("azure-functions", "azure-functions-runtime")},
            "init": self._worker.init,
            "route_errors": list(self._table.errors()),
            "in_flight": self._in_flight,
            "failures": self._failures.found,
        }

    async def _invoke(
        self, route: HttpRoute, parameters: dict[str, str], scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Run the invocation and forward its request at the same time, as the host does."""
        invocation = str(uuid4())
        metadata = {name: protos.TypedData(string=value) for name, value in parameters.items()}
        data = protos.TypedData(http=protos.RpcHttp(params=parameters))
        body = Body(receive)
        exchange = asyncio.create_task(self._forward(invocation, scope, body, send))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._worker.invoke(route.name, invocation, data, metadata))
            group.create_task(end_with_client(exchange, body))

    async def _forward(self, invocation: str, scope: Scope, body: "Body", send: Send) -> None:
        given = dict(scope["headers"])
        headers = [pair for pair in scope["headers"] if pair[0] not in HOP_BY_HOP | REPLACED] + [
            (INVOCATION_HEADER.encode(), invocation.encode()),
            (b"x-forwarded-for", scope["client"][0].encode()),
            (b"x-forwarded-host", given.get(b"host", b"")),
            (b"x-forwarded-proto", scope["scheme"].encode()),
        ]
        has_body = b"content-length" in given or b"transfer-encoding" in given
        url = httpx.URL(self._worker.http_uri).copy_with(raw_path=target(scope))
        request = self._client.build_request(
            scope["method"], url, headers=headers, content=aiter(body) if has_body else None
        )
        for name in ("accept", "accept-encoding", "user-agent", "connection"):
            if name.encode() not in given:
                request.headers.pop(name, None)
        if not has_body:
            await body.drain()
        response = await self._client.send(request, stream=True)
        try:
            await start(send, response.status_code, response.headers.raw)
            async for chunk in response.aiter_raw():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body"})
        finally:
            await response.aclose()


class Body:
    """A request's body, and then the client's leaving."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._ended = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            more = message.get("more_body", False)
            if chunk := message.get("body", b""):
                yield chunk
        self._ended.set()

    async def drain(self) -> None:
        """Take a body that is empty."""
        async for _ in self:
            pass

    async def gone(self) -> None:
        """Returns when the client has left after its body was read."""
        await self._ended.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass


async def end_with_client(exchange: asyncio.Task[None], body: Body) -> None:
    """Wait for an exchange; end it, and with it the connection to the worker, when the client leaves."""
    leaving = asyncio.create_task(body.gone())
    await asyncio.wait({exchange, leaving}, return_when=asyncio.FIRST_COMPLETED)
    for task in (exchange, leaving):
        task.cancel()
    outcome, _ = await asyncio.gather(exchange, leaving, return_exceptions=True)
    if isinstance(outcome, Exception) and not isinstance(outcome, ClientGone):
        raise outcome


def target(scope: Scope) -> bytes:
    """The request target, as it was sent."""
    path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return path + b"?" + query if query else path


async def start(send: Send, status: int, headers: list[tuple[bytes, bytes]]) -> None:
    """Send the head of an answer."""
    kept = [(name, value) for name, value in headers if name.lower() not in HOP_BY_HOP]
    await send({"type": "http.response.start", "status": status, "headers": kept})


async def answer(send: Send, status: int, content: Any = None) -> None:
    """Send an answer of the host's own."""
    body = b"" if content is None else json.dumps(content).encode()
    length = (b"content-length", str(len(body)).encode())
    await start(send, status, [(b"content-type", b"application/json"), length])
    await send({"type": "http.response.body", "body": body})


def worker_task(loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any) -> WorkerTask:
    """The task factory of worker processes."""
    return WorkerTask(coro, loop=loop, **options)


async def serve(app_folder: Path, port: int, settings: dict[str, str] | None) -> None:
    """Load the app and serve it until the process is told to end."""
    failures = Failures()
    logging.getLogger().addHandler(failures)
    loop = asyncio.get_running_loop()
    loop.set_task_factory(worker_task)
    worker = Worker(app_folder, failures)
    await worker.start(settings)
    logging.getLogger("uvicorn").addHandler(failures)
    front = uvicorn.Config(
        FrontEnd(worker, failures), HOST, port, log_config=None, lifespan="off", server_header=False, date_header=False
    )
    await uvicorn.Server(front).serve()


def main() -> None:
    """Set the process up as the host does, and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("app_folder", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--specialize", action="store_true", help="tell the worker its app after it was started")
    chosen = parser.parse_args()
    sys.path.remove(str(Path(__file__).parent))
    logging.basicConfig(level=logging.INFO)
    settings = None
    if chosen.specialize:
        settings = dict(os.environ)
        os.environ.clear()
    else:
        os.chdir(chosen.app_folder)
        sys.path.insert(0, str(chosen.app_folder))
    asyncio.run(serve(chosen.app_folder, chosen.port, settings))


if __name__ == "__main__":
    main()
