"""The health check."""

from collections.abc import Sequence

import azure.functions as func
import orjson
from azurefunctions.extensions.http.fastapi import Request, Response

from functions.answers import JSON, json_answer
from functions.gate import access
from functions.registration import service
from shared.services.context import process
from shared.services.health import Health, Probe, probes

blueprint = func.Blueprint()

WORDS = {True: "Healthy", False: "Unhealthy"}


async def _probes() -> Sequence[Probe]:
    found = probes(await process.services())
    if not access().open:
        found.append(Probe("issuers", access().check, "Their keys are known.", essential=False))
    return found


health = Health(_probes)


@service(blueprint, "health", ["GET"], "health/check", None)
async def health_check(req: Request) -> Response:
    """200 when the service can store and search, else 503, with each dependency's state."""
    found = await health.checks()
    serving = all(check.healthy for check in found if check.essential)
    healthy = all(check.healthy for check in found)
    body = {
        "overallStatus": WORDS[healthy] if healthy or not serving else "Degraded",
        "details": [
            {"name": check.name, "status": WORDS[check.healthy], "description": check.description} for check in found
        ],
    }
    return json_answer(req, orjson.dumps(body), 200 if serving else 503, media_type=JSON)
