"""GET of studies, series and instances by what they are (QIDO-RS, PS3.18 10.6)."""

import azure.functions as func
from azurefunctions.extensions.http.fastapi import Response

from functions.answers import DICOM_JSON, json_array, stream_answer
from functions.registration import Call, dicomweb
from functions.retrieve import SERIES, STUDY, xml_parts
from shared.access import DataAction
from shared.dicom.model import Level
from shared.dicomweb.accept import Resource, negotiate
from shared.dicomweb.media_types import DICOM_XML
from shared.dicomweb.multipart_writer import new_boundary, related_content_type
from shared.dicomweb.query import Query, parse_query, searched_by
from shared.services.search import search
from shared.services.tags import SearchTags, searched

blueprint = func.Blueprint()


@dicomweb(blueprint, "search_studies", ["GET"], "studies", DataAction.READ, repeats=True)
async def search_studies(call: Call) -> Response:
    """Studies of the partition."""
    return await _search(call, Level.STUDY)


@dicomweb(blueprint, "search_series", ["GET"], "series", DataAction.READ, repeats=True)
@dicomweb(blueprint, "search_series_of_study", ["GET"], f"{STUDY}/series", DataAction.READ, repeats=True)
async def search_series(call: Call) -> Response:
    """Series of the partition or of a study."""
    return await _search(call, Level.SERIES)


@dicomweb(blueprint, "search_instances", ["GET"], "instances", DataAction.READ, repeats=True)
@dicomweb(blueprint, "search_instances_of_study", ["GET"], f"{STUDY}/instances", DataAction.READ, repeats=True)
@dicomweb(blueprint, "search_instances_of_series", ["GET"], f"{SERIES}/instances", DataAction.READ, repeats=True)
async def search_instances(call: Call) -> Response:
    """Instances of the partition, of a study or of a series."""
    return await _search(call, Level.INSTANCE)


async def _search(call: Call, level: Level) -> Response:
    selected = negotiate(Resource.SEARCH, call.accept)
    extended = await searched(call.services, searched_by(call.query))
    query = parse_query(call.query, level, _named(call), extended=extended.attributes)
    found = await search(call.services, level, call.scope, query, call.api_version, call.base_url, extended)
    headers = {"X-Total-Count": str(found.total), **_erroneous(query, extended)}
    if warnings := [*query.warnings, *_more(found.total - query.offset - found.count)]:
        headers["Warning"] = ", ".join(f'299 {call.host}: "{text}"' for text in warnings)
    if not found.count:
        return Response(status_code=204, headers=headers)
    if selected.media_type == DICOM_XML:
        boundary = new_boundary()
        headers["Content-Type"] = related_content_type(DICOM_XML, boundary)
        documents = xml_parts(found.objects, boundary, call.services.room)
        return stream_answer(call.request, documents, headers, compressible=True)
    headers["Content-Type"] = DICOM_JSON
    return stream_answer(
        call.request, json_array(b",".join(group) async for group in found.groups), headers, compressible=True
    )


def _erroneous(query: Query, extended: SearchTags) -> dict[str, str]:
    """Which attributes some instances could not be indexed by, as the client called them."""
    names = [name for path, name in query.filters.items() if path in extended.erroneous]
    return {"erroneous-dicom-attributes": ",".join(names)} if names else {}


def _more(remaining: int) -> list[str]:
    """The warning that PS3.18 8.3.4.4.1 asks for when further pages can be requested."""
    return [f"There are {remaining} additional results that can be requested"] if remaining > 0 else []


def _named(call: Call) -> list[Level]:
    """The levels whose UIDs stand in the path."""
    uids = {Level.STUDY: call.scope.study, Level.SERIES: call.scope.series}
    return [level for level, uid in uids.items() if uid is not None]
