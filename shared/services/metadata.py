"""Metadata: the data sets without their bulk, as they were stored in the index (PS3.18 10.4.1.1.2)."""

import zlib
from collections.abc import AsyncIterator

from shared.dicomweb.urls import instance_url
from shared.errors import NotFound
from shared.services.aside import fetch
from shared.services.context import Services
from shared.services.delete import missing
from shared.services.offload import offload
from shared.storage.index.model import Scope

REFERENCE = b'"BulkDataURI":"'
"""Stored metadata holds bulk data URIs relative to their instance. In JSON text an unescaped quote before
the key can only begin that key, so the bytes can be replaced without parsing."""


async def entity_tag(services: Services, scope: Scope) -> str:
    """The tag that changes with every store and delete in the scope. Raises NotFound when it holds nothing."""
    state = await services.index.state(scope)
    if not state.instances:
        raise NotFound(missing(scope))
    return f"{state.version}-{state.instances}" if scope.instance is None else str(state.version)


async def datasets(services: Services, scope: Scope, base_url: str) -> AsyncIterator[bytes]:
    """Each instance's data set as a DICOM JSON object, bulk data URIs absolute."""
    async for stored in services.index.instances(scope):
        key, held = stored.key, await fetch(services, stored.metadata)
        url = instance_url(base_url, key.study, key.series, key.instance)
        yield await offload(len(held), json_object, held, url)


def json_object(held: bytes, url: str) -> bytes:
    """The stored metadata of the instance at a URL as a DICOM JSON object, bulk data URIs absolute."""
    return absolute(zlib.decompress(held), url)


def absolute(metadata: bytes, url: str) -> bytes:
    """Resolve the relative bulk data URIs of stored metadata against the URL of their instance."""
    return metadata.replace(REFERENCE, REFERENCE + url.encode() + b"/bulkdata/")
