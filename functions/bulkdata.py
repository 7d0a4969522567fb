"""GET of frames and bulk data (WADO-RS, PS3.18 10.4.1.1.5 and 10.4.1.1.6)."""

import re
from collections.abc import AsyncIterator, Callable, Sequence

import azure.functions as func
from azurefunctions.extensions.http.fastapi import Response

from functions.answers import VARY, stream_answer, unchanged_answer
from functions.content import Representation, content_answer
from functions.registration import Call, dicomweb
from functions.retrieve import INSTANCE, SERIES, STUDY
from shared.access import DataAction
from shared.dicomweb.accept import Resource, Selected, content_type, negotiate
from shared.dicomweb.conditional import entity_tag
from shared.dicomweb.media_types import OCTET_STREAM
from shared.dicomweb.multipart_writer import closing, new_boundary, part, part_head, related_content_type
from shared.dicomweb.urls import bulkdata_url
from shared.errors import BadRequest, NotAcceptable, NotFound
from shared.services import retrieve
from shared.services.aside import with_layout
from shared.services.bulkdata import BulkValue, PixelData, bulk_value, bulk_values, compressed_pixel_data, pixel_data
from shared.services.extents import read, read_part
from shared.storage.index.model import StoredInstance

blueprint = func.Blueprint()

FRAME_LIST = re.compile(r"0*[1-9][0-9]{0,8}(?:,0*[1-9][0-9]{0,8})*")
PIXEL_DATA = frozenset({"7FE00010", "7FE00008", "7FE00009"})

Wanted = Callable[[BulkValue], bool]


@dicomweb(blueprint, "retrieve_frames", ["GET"], f"{INSTANCE}/frames/{{frames}}", DataAction.READ)
async def retrieve_frames(call: Call) -> Response:
    """One or several frames, in the order asked for."""
    numbers = frame_numbers(call.request.path_params["frames"])
    pixels = pixel_data(await _instance(call))
    for number in numbers:
        pixels.extent(number)
    return await _frames_answer(call, pixels, numbers)


@dicomweb(blueprint, "retrieve_bulkdata", ["GET"], f"{INSTANCE}/bulkdata/{{*reference}}", DataAction.READ)
async def retrieve_bulkdata(call: Call) -> Response:
    """The bulk data value that a BulkDataURI names; compressed pixel data as its frames."""
    stored = await _instance(call)
    reference = call.request.path_params["reference"].strip("/").upper()
    pixels = compressed_pixel_data(stored, reference)
    if pixels is not None:
        return await _frames_answer(call, pixels, range(1, pixels.count + 1))
    value = bulk_value(stored, reference)
    selected = negotiate(Resource.BULKDATA, call.accept)
    representation = Representation(
        content_type=OCTET_STREAM,
        part_type=OCTET_STREAM if selected.multipart else None,
        length=value.extent.length,
        version=stored.version,
        read=lambda offset, length: read_part(call.services, stored, value.extent, offset, length),
    )
    return await content_answer(call.request, representation)


@dicomweb(blueprint, "study_bulkdata", ["GET"], f"{STUDY}/bulkdata", DataAction.READ)
@dicomweb(blueprint, "series_bulkdata", ["GET"], f"{SERIES}/bulkdata", DataAction.READ)
@dicomweb(blueprint, "instance_bulkdata", ["GET"], f"{INSTANCE}/bulkdata", DataAction.READ)
async def retrieve_all_bulkdata(call: Call) -> Response:
    """Every bulk data value of everything the path names."""
    return await _all_answer(call, lambda value: True)


@dicomweb(blueprint, "study_pixeldata", ["GET"], f"{STUDY}/pixeldata", DataAction.READ)
@dicomweb(blueprint, "series_pixeldata", ["GET"], f"{SERIES}/pixeldata", DataAction.READ)
@dicomweb(blueprint, "instance_pixeldata", ["GET"], f"{INSTANCE}/pixeldata", DataAction.READ)
async def retrieve_pixeldata(call: Call) -> Response:
    """The pixel data of everything the path names."""
    return await _all_answer(call, lambda value: value.reference in PIXEL_DATA)


async def _instance(call: Call) -> StoredInstance:
    return await with_layout(call.services, await retrieve.instance(call.services, call.scope))


def frame_numbers(path: str) -> list[int]:
    """The frame numbers, from 1, of a comma-separated list. Raises BadRequest."""
    if not FRAME_LIST.fullmatch(path):
        raise BadRequest(
            "The frame list is invalid. At least one frame must be present, "
            "and all requested frames must have value greater than 0."
        )
    return [int(number) for number in path.split(",")]


async def _frames_answer(call: Call, pixels: PixelData, numbers: Sequence[int]) -> Response:
    stored = pixels.stored
    selected = negotiate(Resource.FRAME, call.accept, stored.transfer_syntax)
    if len(numbers) > 1 and not selected.multipart:
        selected = _selected_for_several(call, stored)
    label = content_type(selected, stored.transfer_syntax)
    if len(numbers) == 1:
        return await content_answer(call.request, await _frame(call, pixels, numbers[0], label, selected))
    headers = {"ETag": entity_tag(str(stored.version)), **VARY}
    if unchanged := unchanged_answer(call.request, headers):
        return unchanged
    boundary = new_boundary()
    headers["Content-Type"] = related_content_type(selected.media_type, boundary)
    return stream_answer(call.request, _frame_parts(call, pixels, numbers, label, boundary), headers)


def _selected_for_several(call: Call, stored: StoredInstance) -> Selected:
    try:
        return negotiate(Resource.FRAMES, call.accept, stored.transfer_syntax)
    except NotAcceptable:
        raise BadRequest("Several frames can't be given as a single part: accept multipart/related.") from None


async def _frame(call: Call, pixels: PixelData, number: int, label: str, selected: Selected) -> Representation:
    """One frame: read when it is sent, but bit-packed ones, which have no bytes of their own in the file."""
    unpacked = await pixels.unpacked(call.services, number) if pixels.packed else None

    def chunks(offset: int, length: int) -> AsyncIterator[bytes]:
        if unpacked is not None:
            return _once(unpacked[offset : offset + length])
        return pixels.read(call.services, number, offset, length)

    return Representation(
        content_type=label,
        part_type=selected.media_type if selected.multipart else None,
        length=pixels.extent(number).length if unpacked is None else len(unpacked),
        version=pixels.stored.version,
        read=chunks,
    )


async def _frame_parts(
    call: Call, pixels: PixelData, numbers: Sequence[int], label: str, boundary: str
) -> AsyncIterator[bytes]:
    head = part_head(boundary, {"Content-Type": label})
    for number in numbers:
        content = (
            _once(await pixels.unpacked(call.services, number))
            if pixels.packed
            else pixels.read(call.services, number, 0, pixels.extent(number).length)
        )
        async for chunk in part(head, content):
            yield chunk
    yield closing(boundary)


async def _all_answer(call: Call, wanted: Wanted) -> Response:
    selected = negotiate(Resource.BULKDATA, call.accept)
    if not selected.multipart:
        raise NotAcceptable(f'Several values are given as multipart/related; type="{OCTET_STREAM}" only.')
    boundary = new_boundary()
    headers = {"Content-Type": related_content_type(OCTET_STREAM, boundary)}
    return stream_answer(call.request, _value_parts(call, _values(call, wanted), boundary), headers)


async def _values(call: Call, wanted: Wanted) -> AsyncIterator[tuple[StoredInstance, BulkValue]]:
    found = False
    async for indexed in call.services.index.instances(call.scope):
        stored = await with_layout(call.services, indexed)
        for value in bulk_values(stored):
            if wanted(value):
                found = True
                yield stored, value
    if not found:
        raise NotFound("The specified bulk data cannot be found.")


async def _value_parts(
    call: Call, values: AsyncIterator[tuple[StoredInstance, BulkValue]], boundary: str
) -> AsyncIterator[bytes]:
    """Each value with its URI; compressed pixel data as one part per frame under the same URI."""
    async for stored, value in values:
        key = stored.key
        location = bulkdata_url(call.base_url, key.study, key.series, key.instance, value.reference)
        pixels = compressed_pixel_data(stored, value.reference)
        extents = [value.extent] if pixels is None else [pixels.extent(n) for n in range(1, pixels.count + 1)]
        label = OCTET_STREAM if pixels is None else pixels.content_type
        for extent in extents:
            head = part_head(boundary, {"Content-Type": label, "Content-Location": location})
            async for chunk in part(head, read(call.services, stored, extent)):
                yield chunk
    yield closing(boundary)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
