"""DELETE of studies, series and instances."""

import azure.functions as func
from azurefunctions.extensions.http.fastapi import Response

from functions.observing import note_deleted
from functions.registration import Call, dicomweb
from functions.retrieve import INSTANCE, SERIES, STUDY
from shared.access import DataAction
from shared.services.delete import delete

blueprint = func.Blueprint()


@dicomweb(blueprint, "delete_instance", ["DELETE"], INSTANCE, DataAction.DELETE)
@dicomweb(blueprint, "delete_series", ["DELETE"], SERIES, DataAction.DELETE)
@dicomweb(blueprint, "delete_study", ["DELETE"], STUDY, DataAction.DELETE)
async def delete_scope(call: Call) -> Response:
    """Remove what the path names from every answer at once."""
    note_deleted(call.request, await delete(call.services, call.scope))
    return Response(status_code=204)
