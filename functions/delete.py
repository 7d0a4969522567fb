"""DELETE of studies, series and instances."""

import azure.functions as func
from azurefunctions.extensions.http.fastapi import Response

from functions.registration import Call, dicomweb
from shared.services.delete import delete

blueprint = func.Blueprint()


@dicomweb(blueprint, "delete_instance", ["DELETE"], "studies/{study}/series/{series}/instances/{instance}")
@dicomweb(blueprint, "delete_series", ["DELETE"], "studies/{study}/series/{series}")
@dicomweb(blueprint, "delete_study", ["DELETE"], "studies/{study}")
async def delete_scope(call: Call) -> Response:
    """Remove what the path names from every answer at once."""
    await delete(call.services, call.scope)
    return Response(status_code=204)
