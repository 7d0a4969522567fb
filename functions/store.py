"""POST and PUT of instances (STOW-RS, PS3.18 10.5)."""

import asyncio
from collections.abc import AsyncIterator

import azure.functions as func
import orjson
from azurefunctions.extensions.http.fastapi import Response

from functions.answers import json_answer
from functions.bodies import limited, require_no_coding
from functions.observing import note_stored
from functions.registration import Call, dicomweb
from shared.access import DataAction
from shared.dicom.xml import to_xml
from shared.dicomweb.accept import Resource, Selected, negotiate
from shared.dicomweb.media_types import DICOM, DICOM_JSON, DICOM_XML, JSON, MediaType, parse_content_type
from shared.dicomweb.multipart import MultipartLimits, Part, boundary_of, read_parts
from shared.dicomweb.store_answer import Outcome, Stored, dataset, status
from shared.dicomweb.urls import study_url
from shared.errors import BadRequest, ServiceUnavailable, UnsupportedMediaType
from shared.services.compose import store_composed
from shared.services.store import Store, StoreRequest
from shared.storage.index.port import CommitMode

blueprint = func.Blueprint()

METADATA_TYPES = frozenset({DICOM_JSON, JSON, DICOM_XML})
MULTIPART_TYPES = METADATA_TYPES | {DICOM, ""}
MULTI_VALUED = "One or more indexed Dicom tag(s) have multiple values, only first value is indexed."
RETRY_SECONDS = "10"


@dicomweb(blueprint, "store", ["POST"], "studies", DataAction.WRITE, creates_partition=True)
@dicomweb(blueprint, "store_in_study", ["POST"], "studies/{study}", DataAction.WRITE, creates_partition=True)
async def store(call: Call) -> Response:
    """Store instances; one that exists is refused."""
    return await _store(call, CommitMode.CREATE)


@dicomweb(blueprint, "replace", ["PUT"], "studies", DataAction.WRITE, creates_partition=True)
@dicomweb(blueprint, "replace_in_study", ["PUT"], "studies/{study}", DataAction.WRITE, creates_partition=True)
async def replace(call: Call) -> Response:
    """Store instances; one that exists is replaced."""
    return await _store(call, CommitMode.REPLACE)


async def _store(call: Call, mode: CommitMode) -> Response:
    selected = negotiate(Resource.STORE, call.accept)
    content_type = parse_content_type(call.request.headers.get("content-type", ""))
    require_no_coding(call.request)
    under_way = Store(
        call.services,
        StoreRequest(call.scope.partition, call.scope.study, mode, call.api_version, call.base_url),
    )
    note_stored(call.request, under_way.stored)
    body = limited(call.request, call.services.settings.max_request_bytes)
    try:
        unsupported = await _receive(under_way, body, content_type, call)
    except BaseException:
        await asyncio.shield(under_way.finish())
        raise
    outcomes = await under_way.finish()
    if unsupported and not any(isinstance(outcome, Stored) for outcome in outcomes):
        raise UnsupportedMediaType(f"The specified content type '{unsupported}' is not supported.")
    if under_way.storage_failed and not any(isinstance(outcome, Stored) for outcome in outcomes):
        raise ServiceUnavailable(
            "Nothing was stored because the storage failed. Send the request again.",
            headers={"Retry-After": RETRY_SECONDS},
        )
    return _answer(call, selected, outcomes)


async def _receive(under_way: Store, body: AsyncIterator[bytes], content_type: MediaType, call: Call) -> str | None:
    """Take every part; gives the media type of the last one that is none of ours."""
    if content_type.essence == DICOM:
        await under_way.add(body)
        return None
    parts = _parts(body, content_type, call.services.settings.max_parts)
    root_type = content_type.params.get("type", "").lower()
    if root_type in METADATA_TYPES:
        await store_composed(under_way, parts, root_type)
        return None
    return await _receive_instances(under_way, parts)


def _parts(body: AsyncIterator[bytes], content_type: MediaType, max_parts: int) -> AsyncIterator[Part]:
    boundary = boundary_of(content_type)
    if content_type.params.get("type", "").lower() not in MULTIPART_TYPES:
        raise UnsupportedMediaType(
            f"The specified content type '{content_type.essence}' of '{content_type.params['type']}' is not supported."
        )
    if "start" in content_type.params:
        raise BadRequest("The parameter 'start' of multipart/related is not supported.")
    return read_parts(body, boundary, MultipartLimits(parts=max_parts))


async def _receive_instances(under_way: Store, parts: AsyncIterator[Part]) -> str | None:
    unsupported = None
    async for part in parts:
        part_type = part.content_type
        if part_type is None or part_type.essence == DICOM:
            await under_way.add(part)
        else:
            unsupported = part_type.essence
            under_way.reject(f"A part's content type '{unsupported}' is not supported.")
    return unsupported


def _answer(call: Call, selected: Selected, outcomes: list[Outcome]) -> Response:
    warn = call.api_version > 1
    code = status(outcomes, warn=warn)
    if code == 204:
        return Response(status_code=code)
    study = call.scope.study
    answer = dataset(outcomes, study_url(call.base_url, study) if study else None, warn=warn)
    headers = {}
    if any(isinstance(outcome, Stored) and outcome.multi_valued for outcome in outcomes):
        headers["Warning"] = f'299 {call.host}: "{MULTI_VALUED}"'
    if selected.media_type == DICOM_XML:
        return Response(to_xml(answer), code, headers, DICOM_XML)
    return json_answer(call.request, orjson.dumps(answer), code, headers)
