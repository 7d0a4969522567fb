"""The metrics of the service, for Prometheus to read."""

import azure.functions as func
from azurefunctions.extensions.http.fastapi import Request, Response

from functions.gate import access, permissions
from functions.registration import service
from shared.access import DataAction
from shared.telemetry.meters import meters
from shared.telemetry.prometheus import CONTENT_TYPE, text

blueprint = func.Blueprint()


@service(blueprint, "metrics", ["GET"], "metrics", DataAction.READ)
async def metrics(req: Request) -> Response:
    """What all processes of this machine counted, for those who may read all partitions: it tells of them together."""
    if not permissions(req).unrestricted(DataAction.READ):
        raise access().refusal()
    families = [*meters.all(), *await meters.observed()]
    return Response(text(families), headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})
