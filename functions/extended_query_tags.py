"""Extended query tags: attributes that an operator makes searchable."""

from typing import Any

import azure.functions as func
import orjson
from azurefunctions.extensions.http.fastapi import Request, Response

from functions.answers import JSON, json_answer
from functions.bodies import limited
from functions.gate import permissions, readable
from functions.registration import api_url, api_version, service
from shared.access import DataAction
from shared.dicomweb.list_query import paging, parameters
from shared.dicomweb.moments import moment_text
from shared.dicomweb.tag_request import MAX_BODY, parse_query_status, parse_tags, tag_path
from shared.services import tags
from shared.services.context import process
from shared.services.tags import TagState
from shared.storage.index.tags import QueryStatus, TagError

blueprint = func.Blueprint()

TAGS = "{version}/extendedquerytags"
TAG = f"{TAGS}/{{tag}}"


@service(blueprint, "add_extended_query_tags", ["POST"], TAGS, DataAction.MANAGE_EXTENDED_QUERY_TAGS)
async def add_tags(req: Request) -> Response:
    """Make attributes searchable; what is stored already is indexed in the background."""
    base = _base_url(req)
    operation = await tags.add(await process.services(), parse_tags(await _body(req)), base)
    href = f"{base}/operations/{operation.id}"
    return _answer(req, {"id": operation.id, "href": href}, 202, {"Location": href})


@service(blueprint, "extended_query_tags", ["GET"], TAGS, DataAction.READ)
async def list_tags(req: Request) -> Response:
    """The extended query tags."""
    base = _base_url(req)
    wanted = paging(parameters(req.url.query))
    found = await tags.page(await process.services(), wanted.offset, wanted.limit)
    return _answer(req, [_shown(req, state, base) for state in found])


@service(blueprint, "extended_query_tag", ["GET"], TAG, DataAction.READ)
async def get_tag(req: Request) -> Response:
    """One extended query tag."""
    base = _base_url(req)
    return _answer(req, _shown(req, await tags.get(await process.services(), _path(req)), base))


@service(blueprint, "extended_query_tag_errors", ["GET"], f"{TAG}/errors", DataAction.READ)
async def list_errors(req: Request) -> Response:
    """Why instances could not be indexed by an extended query tag."""
    api_version(req)
    path, wanted = _path(req), paging(parameters(req.url.query))
    services = await process.services()
    seen = await readable(req, services)
    found = await tags.errors(services, path, wanted.offset, wanted.limit, seen)
    return _answer(req, [_shown_error(each) for each in found])


@service(blueprint, "change_extended_query_tag", ["PATCH"], TAG, DataAction.MANAGE_EXTENDED_QUERY_TAGS)
async def change_tag(req: Request) -> Response:
    """Let searches use an extended query tag or not."""
    base, path = _base_url(req), _path(req)
    status = QueryStatus.ENABLED if parse_query_status(await _body(req)) else QueryStatus.DISABLED
    return _answer(req, _shown(req, await tags.set_query_status(await process.services(), path, status), base))


@service(blueprint, "delete_extended_query_tag", ["DELETE"], TAG, DataAction.MANAGE_EXTENDED_QUERY_TAGS)
async def delete_tag(req: Request) -> Response:
    """Remove an extended query tag."""
    api_version(req)
    await tags.delete(await process.services(), _path(req))
    return Response(status_code=204)


def _base_url(req: Request) -> str:
    api_version(req)
    return api_url(req)


def _path(req: Request) -> str:
    return tag_path(req.path_params["tag"])


async def _body(req: Request) -> bytes:
    """The whole body. Raises PayloadTooLarge, RequestTimeout."""
    return b"".join([chunk async for chunk in limited(req, MAX_BODY, advice="")])


def _answer(req: Request, body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return json_answer(req, orjson.dumps(body), status, headers, media_type=JSON)


def _shown(req: Request, state: TagState, base: str) -> dict[str, Any]:
    """A tag. How many errors there are in all partitions is for those who may read them all."""
    tag = state.tag
    made = tag.definition
    shown: dict[str, Any] = {"path": made.path, "vr": made.vr}
    if made.private_creator is not None:
        shown["privateCreator"] = made.private_creator
    shown |= {"level": made.level.name.lower(), "status": tag.status, "queryStatus": tag.query_status}
    if state.errors and permissions(req).unrestricted(DataAction.READ):
        shown["errors"] = {"count": state.errors, "href": f"{base}/extendedquerytags/{made.path}/errors"}
    if tag.operation is not None:
        shown["operation"] = {"id": tag.operation, "href": f"{base}/operations/{tag.operation}"}
    return shown


def _shown_error(error: TagError) -> dict[str, str]:
    key = error.key
    return {
        "studyInstanceUid": key.study,
        "seriesInstanceUid": key.series,
        "sopInstanceUid": key.instance,
        "partitionName": key.partition,
        "createdTime": moment_text(error.time),
        "errorMessage": error.message,
    }
