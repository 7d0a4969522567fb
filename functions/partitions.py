"""The list of data partitions."""

import azure.functions as func
import orjson
from azurefunctions.extensions.http.fastapi import Request, Response

from functions.answers import JSON, json_answer
from functions.gate import readable
from functions.registration import api_version, service
from shared.access import DataAction
from shared.dicomweb.moments import moment_text
from shared.services.context import process
from shared.services.partitions import partitions

blueprint = func.Blueprint()


@service(blueprint, "partitions", ["GET"], "{version}/partitions", DataAction.READ)
async def list_partitions(req: Request) -> Response:
    """Every data partition with its key and time of creation."""
    api_version(req)
    services = await process.services()
    seen = await readable(req, services)
    found = [each for each in await partitions(services) if seen is None or each.name in seen]
    body = [
        {
            "partitionKey": partition.key,
            "partitionName": partition.name,
            "createdDate": moment_text(round(partition.created * 1_000_000)),
        }
        for partition in found
    ]
    return json_answer(req, orjson.dumps(body), media_type=JSON)
