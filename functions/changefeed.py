"""The change feed."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

import azure.functions as func
from azurefunctions.extensions.http.fastapi import Request, Response
from starlette.requests import ClientDisconnect

from functions.answers import JSON, json_array, stream_answer
from functions.gate import readable
from functions.registration import api_url, api_version, service
from shared.access import DataAction
from shared.dicomweb.feed_query import FeedRequest, parse_feed_query, parse_latest_query
from shared.services import feed
from shared.services.context import Services, process

T = TypeVar("T")

blueprint = func.Blueprint()


@service(blueprint, "change_feed", ["GET"], "{version}/changefeed", DataAction.READ)
async def change_feed(req: Request) -> Response:
    """Entries in order, at once or as soon as there is one."""
    asked = parse_feed_query(req.url.query, api_version(req))
    services = await process.services()
    reading = feed.entries(services, asked, await _partitions(req, services, asked))
    found = await (_while_connected(req, reading) if asked.wait else reading)
    return _answer(req, json_array(feed.objects(services, found, api_url(req))))


@service(blueprint, "change_feed_latest", ["GET"], "{version}/changefeed/latest", DataAction.READ)
async def change_feed_latest(req: Request) -> Response:
    """The newest entry."""
    api_version(req)
    services = await process.services()
    asked = parse_latest_query(req.url.query)
    found = await feed.latest(services, asked, await _partitions(req, services, asked))
    if found is None:
        return Response(status_code=204)
    return _answer(req, feed.objects(services, [found], api_url(req)))


async def _partitions(req: Request, services: Services, asked: FeedRequest) -> tuple[str, ...] | None:
    return await readable(req, services, None if asked.partition is None else [asked.partition])


def _answer(req: Request, body: AsyncIterator[bytes]) -> Response:
    return stream_answer(req, body, {"Content-Type": JSON}, compressible=True)


async def _while_connected(req: Request, work: Coroutine[Any, Any, T]) -> T:
    """What the work gives. Raises ClientDisconnect, and breaks the work off, if the client goes away before."""
    working, leaving = asyncio.create_task(work), asyncio.create_task(_disconnected(req))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _disconnected(req: Request) -> None:
    while (await req.receive())["type"] != "http.disconnect":
        pass
