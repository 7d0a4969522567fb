"""GET of studies, series and instances, and of their metadata (WADO-RS, PS3.18 10.4)."""

from collections.abc import AsyncIterator

import azure.functions as func
import orjson
from azurefunctions.extensions.http.fastapi import Response

from functions.answers import DICOM_JSON, VARY, accepts_gzip, stream_answer, unchanged_answer
from functions.content import Representation, content_answer
from functions.registration import Call, dicomweb
from shared.access import DataAction
from shared.dicom.xml import to_xml
from shared.dicomweb.accept import Resource, Selected, content_type, negotiate
from shared.dicomweb.conditional import entity_tag
from shared.dicomweb.media_types import DICOM, DICOM_XML, ZIP
from shared.dicomweb.multipart_writer import PART_END, closing, new_boundary, part, part_head, related_content_type
from shared.dicomweb.segments import Gzip, Plain
from shared.services import metadata, retrieve
from shared.services.archive import archive
from shared.services.offload import offload
from shared.services.retrieve import Content
from shared.services.room import PARSED, Growing, Room, Share
from shared.storage.index.model import StoredInstance

blueprint = func.Blueprint()

STUDY = "studies/{study}"
SERIES = f"{STUDY}/series/{{series}}"
INSTANCE = f"{SERIES}/instances/{{instance}}"


@dicomweb(blueprint, "retrieve_study", ["GET"], STUDY, DataAction.READ)
async def retrieve_study(call: Call) -> Response:
    """Every instance of a study."""
    return await _retrieve_all(call, Resource.STUDY)


@dicomweb(blueprint, "retrieve_series", ["GET"], SERIES, DataAction.READ)
async def retrieve_series(call: Call) -> Response:
    """Every instance of a series."""
    return await _retrieve_all(call, Resource.SERIES)


@dicomweb(blueprint, "retrieve_instance", ["GET"], INSTANCE, DataAction.READ)
async def retrieve_instance(call: Call) -> Response:
    """One instance."""
    stored = await retrieve.instance(call.services, call.scope)
    selected = negotiate(Resource.INSTANCE, call.accept, stored.transfer_syntax)
    if selected.media_type == ZIP:
        return await _retrieve_all(call, Resource.INSTANCE)
    representation = Representation(
        content_type=content_type(selected, stored.transfer_syntax),
        part_type=DICOM if selected.multipart else None,
        length=stored.length,
        version=stored.version,
        read=lambda offset, length: retrieve.content(call.services, stored, offset, length),
    )
    return await content_answer(call.request, representation)


@dicomweb(blueprint, "study_metadata", ["GET"], f"{STUDY}/metadata", DataAction.READ, repeats=True)
@dicomweb(blueprint, "series_metadata", ["GET"], f"{SERIES}/metadata", DataAction.READ, repeats=True)
@dicomweb(blueprint, "instance_metadata", ["GET"], f"{INSTANCE}/metadata", DataAction.READ, repeats=True)
async def retrieve_metadata(call: Call) -> Response:
    """The data sets of everything the path names, bulk data by URI."""
    selected = negotiate(Resource.METADATA, call.accept)
    if "if-none-match" in call.request.headers:
        tag = entity_tag(await metadata.entity_tag(call.services, call.scope))
        if unchanged := unchanged_answer(call.request, {"ETag": tag, **VARY}):
            return unchanged
    tag, instances = await metadata.tagged(call.services, call.scope)
    headers = {"ETag": entity_tag(tag)}
    if selected.media_type == DICOM_XML:
        boundary = new_boundary()
        headers["Content-Type"] = related_content_type(DICOM_XML, boundary)
        datasets = metadata.datasets(call.services, instances, call.base_url)
        return stream_answer(
            call.request, xml_parts(datasets, boundary, call.services.room), headers, compressible=True
        )
    headers["Content-Type"] = DICOM_JSON
    gzip = accepts_gzip(call.request)
    if gzip:
        headers["Content-Encoding"] = "gzip"
    content = Gzip() if gzip else Plain()
    array = metadata.json_array(call.services, instances, call.base_url, content)
    return stream_answer(call.request, array, headers)


async def _retrieve_all(call: Call, resource: Resource) -> Response:
    selected = negotiate(resource, call.accept)
    if selected.transfer_syntax is not None:
        selected = negotiate(resource, call.accept, *await retrieve.transfer_syntaxes(call.services, call.scope))
    files = retrieve.files(call.services, call.scope)
    if selected.media_type == ZIP:
        name = call.scope.instance or call.scope.series or call.scope.study
        headers = {"Content-Type": ZIP, "Content-Disposition": f'attachment; filename="{name}.zip"'}
        return stream_answer(call.request, archive(files), headers)
    boundary = new_boundary()
    headers = {"Content-Type": related_content_type(DICOM, boundary)}
    return stream_answer(call.request, _instance_parts(files, selected, boundary), headers)


async def _instance_parts(
    files: AsyncIterator[tuple[StoredInstance, Content]], selected: Selected, boundary: str
) -> AsyncIterator[bytes]:
    async for stored, content in files:
        head = part_head(boundary, {"Content-Type": content_type(selected, stored.transfer_syntax)})
        async for chunk in part(head, content):
            yield chunk
    yield closing(boundary)


async def xml_parts(datasets: AsyncIterator[bytes], boundary: str, room: Room) -> AsyncIterator[bytes]:
    """A multipart body with each DICOM JSON object as a Native DICOM Model document (PS3.19 A.1)."""
    with Share(room) as share:
        async for dataset in datasets:
            with Growing(share) as growing:
                await growing.grow(len(dataset) * PARSED)
                document = await offload(len(dataset), _xml, dataset)
            yield part_head(boundary, {"Content-Type": DICOM_XML}) + document + PART_END
    yield closing(boundary)


def _xml(dataset: bytes) -> bytes:
    return to_xml(orjson.loads(dataset))
