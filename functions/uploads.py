"""Uploads into the inbox: how files get there that are too large for a store request."""

import azure.functions as func
import orjson
from azurefunctions.extensions.http.fastapi import Request, Response

from functions.answers import JSON, json_answer
from functions.bodies import limited, require_no_coding
from functions.registration import Call, dicomweb
from shared.access import DataAction
from shared.dicomweb import lenient_json
from shared.dicomweb.moments import moment_text
from shared.errors import BadRequest
from shared.services import uploads

blueprint = func.Blueprint()

MAX_BODY = 64 * 1024
FILES_ELSEWHERE = "The file itself is sent to the URL that the answer gives; the body names it at most."
TO_THE_INBOX = "Put the file into the inbox directly, or send what it holds as several smaller files."
BLOCK_BLOB = {"x-ms-blob-type": "BlockBlob"}
"""What Blob Storage wants to be told with a file."""


@dicomweb(blueprint, "offer_upload", ["POST"], "uploads", DataAction.WRITE, creates_partition=True)
async def offer_upload(call: Call) -> Response:
    """Give a URL to which one file can be sent."""
    upload = await uploads.offer(call.services, call.scope.partition, await _file_name(call.request))
    body = {
        "url": upload.url or f"{call.base_url}/uploads/{upload.name}",
        "method": "PUT",
        "headers": BLOCK_BLOB if upload.url else {},
        "expires": moment_text(upload.expires),
        "name": upload.path,
    }
    return json_answer(call.request, orjson.dumps(body), 201, media_type=JSON)


@dicomweb(blueprint, "receive_upload", ["PUT"], "uploads/{upload}", DataAction.WRITE, creates_partition=True)
async def receive_upload(call: Call) -> Response:
    """Take the file of an upload."""
    require_no_coding(call.request)
    chunks = limited(call.request, call.services.settings.max_request_bytes, TO_THE_INBOX)
    await uploads.receive(call.services, call.scope.partition, call.request.path_params["upload"], chunks)
    return Response(status_code=201)


async def _file_name(request: Request) -> str:
    """What the body, a JSON object or nothing, says of the file. Raises BadRequest."""
    body = b"".join([chunk async for chunk in limited(request, MAX_BODY, FILES_ELSEWHERE)])
    try:
        told = lenient_json.loads(body or b"{}")
    except ValueError:
        told = None
    name = told.get("fileName", "") if isinstance(told, dict) else None
    if not isinstance(name, str):
        raise BadRequest('The body is neither empty nor a JSON object such as {"fileName": "study.zip"}.')
    return name
