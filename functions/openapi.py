"""The description of the API in OpenAPI, as JSON and as YAML."""

import asyncio
import hashlib
from functools import cache

import azure.functions as func
from azurefunctions.extensions.http.fastapi import Request, Response

from functions.answers import VARY, json_answer, unchanged_answer
from functions.registration import ROUTES, api_url, api_version, service
from shared.access.issuers import issuers
from shared.dicomweb.conditional import entity_tag
from shared.openapi.writing import JSON, OPENAPI, YAML, Format
from shared.settings import settings

blueprint = func.Blueprint()


@service(blueprint, "openapi_json", ["GET"], "{version}/api.json", None)
async def openapi_json(req: Request) -> Response:
    """The document as JSON."""
    return await _answer(req, JSON)


@service(blueprint, "openapi_yaml", ["GET"], "{version}/api.yaml", None)
async def openapi_yaml(req: Request) -> Response:
    """The document as YAML."""
    return await _answer(req, YAML)


async def _answer(req: Request, form: Format) -> Response:
    version = api_version(req)
    known = await asyncio.to_thread(_document, version, form)
    here = {"openapi": OPENAPI, "servers": [{"url": api_url(req)}]}
    body = form.join(form.write(here), known)
    headers = {"ETag": entity_tag(hashlib.sha256(body).hexdigest()[:32]), **VARY}
    return unchanged_answer(req, headers) or json_answer(req, body, headers=headers, media_type=form.media_type)


@cache
def _document(version: int, form: Format) -> bytes:
    """All that does not depend on the address that the client asked."""
    from shared.openapi.document import document  # its tables are seldom wanted

    providers = [issuers(url)[0].metadata for url in settings().issuers]
    return form.write(document(ROUTES, version, providers))
