"""Operations: how long work stands, all of it, and cancelling it."""

import re
from typing import Any

import azure.functions as func
import orjson
from azurefunctions.extensions.http.fastapi import Request, Response

from functions.answers import JSON, json_answer
from functions.registration import api_url, api_version, service
from shared.access import DataAction
from shared.dicomweb.list_query import chosen, paging, parameters
from shared.dicomweb.moments import moment_text
from shared.errors import NotFound
from shared.services import operations
from shared.services.context import process
from shared.services.running import errors_of
from shared.storage.index.operations import Operation, OperationStatus

blueprint = func.Blueprint()

OPERATIONS = "{version}/operations"
OPERATION = f"{OPERATIONS}/{{operation}}"

STATUSES = {str(status): status for status in OperationStatus} | {"completed": OperationStatus.SUCCEEDED}
"""What searches name them by: what v1 answers for ``succeeded``, too."""
TYPES = {name: name for name in operations.WORKS}
GUID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@service(blueprint, "get_operation", ["GET"], OPERATION, DataAction.READ)
async def get_operation(req: Request) -> Response:
    """How one operation stands: 202 until it has ended."""
    version, operation = api_version(req), _id(req)
    found = await operations.get(await process.services(), operation)
    body = orjson.dumps(_object(req, version, found))
    if found.status.is_final:
        return json_answer(req, body, media_type=JSON)
    location = {"Location": f"{api_url(req)}/operations/{found.id}"}
    return json_answer(req, body, 202, location, media_type=JSON)


@service(blueprint, "list_operations", ["GET"], OPERATIONS, DataAction.READ)
async def list_operations(req: Request) -> Response:
    """The operations of the last days, newest first."""
    version, given = api_version(req), parameters(req.url.query)
    page, status, type_ = paging(given), chosen(given, "Status", STATUSES), chosen(given, "Type", TYPES)
    found = await operations.page(await process.services(), page.offset, page.limit, status, type_)
    return json_answer(req, orjson.dumps([_object(req, version, each) for each in found]), media_type=JSON)


@service(blueprint, "cancel_operation", ["DELETE"], OPERATION, DataAction.MANAGE_EXTENDED_QUERY_TAGS)
async def cancel_operation(req: Request) -> Response:
    """Cancel an operation that has not ended."""
    api_version(req)
    await operations.cancel(await process.services(), _id(req))
    return Response(status_code=204)


def _id(req: Request) -> str:
    text = req.path_params["operation"].lower()
    if not GUID.fullmatch(text):
        raise NotFound("There is no such operation: its id is 32 hexadecimal digits.")
    return str(text.replace("-", ""))


def _object(req: Request, version: int, operation: Operation) -> dict[str, Any]:
    paths = operation.input.get("paths", ())
    properties = {
        "operationId": operation.id,
        "type": operation.type,
        "createdTime": moment_text(operation.created),
        "lastUpdatedTime": moment_text(operation.updated),
        "status": _word(operation.status, version),
        "percentComplete": operation.percent,
        "resources": [f"{api_url(req)}/extendedquerytags/{path}" for path in paths] or None,
        "errors": errors_of(operation) or None,
    }
    return {name: value for name, value in properties.items() if value is not None}


def _word(status: OperationStatus, version: int) -> str:
    return "completed" if version == 1 and status is OperationStatus.SUCCEEDED else str(status)
