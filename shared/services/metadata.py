"""Metadata: the data sets without their bulk, as they were stored in the index (PS3.18 10.4.1.1.2)."""

from collections.abc import AsyncIterator

from shared.dicomweb.segments import REFERENCE, Gzip, Plain, inflated
from shared.dicomweb.urls import instance_url
from shared.errors import NotFound
from shared.services.aside import fetch
from shared.services.context import Services
from shared.services.delete import missing
from shared.services.offload import offload
from shared.storage.index.model import Scope, ScopeState, StoredInstance

TOGETHER = 192 * 1024
"""Bytes of text that make a chunk of an answer: many, but not so many that it takes a thread."""
BULKDATA = b"/bulkdata/"


async def entity_tag(services: Services, scope: Scope) -> str:
    """The tag that changes with every store and delete in the scope. Raises NotFound when it holds nothing."""
    return _tag(await services.index.state(scope), scope)


async def tagged(services: Services, scope: Scope) -> tuple[str, AsyncIterator[StoredInstance]]:
    """The same tag, and the instances. Raises NotFound when there are none."""
    state, instances = await services.index.read(scope)
    return _tag(state, scope), instances


def _tag(state: ScopeState, scope: Scope) -> str:
    if not state.instances:
        raise NotFound(missing(scope))
    return f"{state.version}-{state.instances}" if scope.instance is None else str(state.version)


async def datasets(services: Services, instances: AsyncIterator[StoredInstance], base_url: str) -> AsyncIterator[bytes]:
    """Each instance's data set as a DICOM JSON object, bulk data URIs absolute."""
    async for stored in instances:
        held = await fetch(services, stored.metadata)
        yield await offload(len(held), json_object, held, _url(base_url, stored))


async def json_array(
    services: Services, instances: AsyncIterator[StoredInstance], base_url: str, content: Plain | Gzip
) -> AsyncIterator[bytes]:
    """The same as one JSON array, by means of the content."""
    mark = b"["
    async for stored in instances:
        held = await fetch(services, stored.metadata)
        content.add(mark)
        await offload(len(held), content.add_held, held, _url(base_url, stored).encode() + BULKDATA)
        mark = b","
        if content.waiting >= TOGETHER:
            yield await offload(content.waiting, content.take)
    content.add(b"]" if mark == b"," else b"[]")
    yield await offload(content.waiting, content.finish)


def _url(base_url: str, stored: StoredInstance) -> str:
    return instance_url(base_url, stored.key.study, stored.key.series, stored.key.instance)


def json_object(held: bytes, url: str) -> bytes:
    """The stored metadata of the instance at a URL as a DICOM JSON object, bulk data URIs absolute."""
    return absolute(inflated(held), url)


def absolute(metadata: bytes, url: str) -> bytes:
    """Resolve the relative bulk data URIs of stored metadata against the URL of their instance."""
    return metadata.replace(REFERENCE, REFERENCE + url.encode() + BULKDATA)
