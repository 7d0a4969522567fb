"""The list of data partitions."""

from datetime import UTC, datetime

import azure.functions as func
import orjson
from azurefunctions.extensions.http.fastapi import Request, Response

from functions.answers import JSON, json_answer
from functions.gate import readable
from functions.registration import api_version, service
from shared.access import DataAction
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
            "createdDate": datetime.fromtimestamp(partition.created, UTC).isoformat().replace("+00:00", "Z"),
        }
        for partition in found
    ]
    return json_answer(req, orjson.dumps(body), media_type=JSON)
