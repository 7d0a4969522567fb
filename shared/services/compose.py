"""Storing metadata with bulk data: what was sent apart becomes Part 10 instances (PS3.18 10.5.2)."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import orjson

from shared.dicom.compose import BulkSource, compose
from shared.dicom.model import Chunk, DataSet
from shared.dicom.xml import from_xml
from shared.dicomweb.media_types import DICOM_JSON, DICOM_XML, JSON, OCTET_STREAM
from shared.dicomweb.multipart import Part
from shared.errors import BadRequest, InvalidInstance, PayloadTooLarge
from shared.services.room import PARSED, Growing
from shared.services.store import Store

MAX_METADATA = 64 * 1024 * 1024
"""Bytes of all metadata parts of one request; they are parsed in memory."""

SPOOL_CHUNK = 1024 * 1024

Sources = dict[str, list[BulkSource]]


async def store_composed(store: Store, parts: AsyncIterator[Part], root_type: str) -> None:
    """Take a request whose root type is DICOM JSON or XML: first all parts are received, then each instance is stored.

    Bulk data waits in temporary files. No URI is ever fetched: what has no part fails its instance.
    """
    with tempfile.TemporaryDirectory(prefix="dicom-bulk-") as folder, Growing(store.share) as room:
        datasets, sources = await _receive(store, parts, root_type, Path(folder), room)
        for dataset in datasets:
            try:
                pieces = await asyncio.to_thread(compose, dataset, sources)
                await store.add(_chunks(pieces))
            except InvalidInstance as error:
                store.reject(error.detail, dataset)


async def _receive(
    store: Store, parts: AsyncIterator[Part], root_type: str, folder: Path, room: Growing
) -> tuple[list[DataSet], Sources]:
    datasets: list[DataSet] = []
    sources: Sources = {}
    left, spooled = MAX_METADATA, 0
    async for part in parts:
        media_type = part.content_type.essence if part.content_type else root_type
        if media_type in (DICOM_JSON, JSON, DICOM_XML):
            body = await _read(part, left)
            left -= len(body)
            await room.grow((MAX_METADATA - left) * PARSED)
            datasets += await asyncio.to_thread(_parse, body, media_type)
        elif part.content_location:
            spooled += 1
            source = await _spool(part, folder / str(spooled))
            sources.setdefault(part.content_location, []).append(source)
        else:
            store.reject("A bulk data part has no Content-Location.")
    return datasets, sources


async def _read(part: Part, limit: int) -> bytes:
    chunks = []
    async for chunk in part:
        limit -= len(chunk)
        if limit < 0:
            raise PayloadTooLarge(f"The metadata of one request may be at most {MAX_METADATA} bytes.")
        chunks.append(chunk)
    return b"".join(chunks)


def _parse(body: bytes, media_type: str) -> list[DataSet]:
    if media_type == DICOM_XML:
        return [from_xml(body)]
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BadRequest("The metadata part is not well-formed JSON.") from None
    datasets = parsed if isinstance(parsed, list) else [parsed]
    if not all(isinstance(dataset, dict) for dataset in datasets):
        raise BadRequest("The metadata part is not an array of DICOM JSON objects.")
    return datasets


async def _spool(part: Part, path: Path) -> BulkSource:
    """Keep a bulk data part in a file."""
    length = 0
    waiting: list[Chunk] = []
    with await asyncio.to_thread(path.open, "wb") as file:
        async for chunk in part:
            waiting.append(chunk)
            length += len(chunk)
            if sum(map(len, waiting)) >= SPOOL_CHUNK:
                await asyncio.to_thread(file.writelines, waiting)
                waiting = []
        await asyncio.to_thread(file.writelines, waiting)
        await asyncio.to_thread(file.flush)
    media_type = part.content_type
    return BulkSource(
        path=path,
        length=length,
        media_type=media_type.essence if media_type else OCTET_STREAM,
        transfer_syntax=media_type.params.get("transfer-syntax") if media_type else None,
    )


async def _chunks(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces, each made in a thread, since most are read from files."""
    while piece := await asyncio.to_thread(next, pieces, b""):
        yield piece
