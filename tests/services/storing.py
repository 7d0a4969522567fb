"""Storing and looking, without HTTP."""

from collections.abc import AsyncIterator, Iterable

from shared.dicom.model import Level
from shared.dicomweb.query import parse_query
from shared.dicomweb.store_answer import Outcome
from shared.services import metadata
from shared.services.context import Services
from shared.services.search import search
from shared.services.store import Store, StoreRequest
from shared.storage.index.model import Scope, Search
from shared.storage.index.port import CommitMode
from tests.instances import Identity, dataset, part10

URL = "http://host/v2"
PARTITION = "Microsoft.Default"


def named(identity: Identity, name: str = "A^B", **attributes: object) -> bytes:
    """A file of a patient of that name."""
    return part10(dataset(identity, PatientName=name, **attributes))


async def store(
    services: Services,
    files: Iterable[bytes],
    mode: CommitMode = CommitMode.CREATE,
    partition: str = PARTITION,
    api_version: int = 2,
) -> list[Outcome]:
    under_way = Store(services, StoreRequest(partition, None, mode, api_version, URL))
    for file in files:
        await under_way.add(_once(file))
    return await under_way.finish()


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def scope(identity: Identity, partition: str = PARTITION) -> Scope:
    return Scope(partition, identity.study, identity.series, identity.instance)


async def everything(services: Services) -> dict[str, list[bytes]]:
    """Every search and metadata answer of every partition, in a fixed order."""
    answers: dict[str, list[bytes]] = {}
    for partition in await services.index.partitions():
        for level in Level:
            for query in ("includefield=all&limit=200", "PatientName=*a*&limit=200", "orderby=PatientID"):
                found = await search(services, level, Scope(partition.name), parse_query(query, level), 2, URL)
                answers[f"{partition.name} {level.name} {query}"] = [each async for each in found.objects]
        studies = await search(
            services, Level.STUDY, Scope(partition.name), parse_query("limit=200", Level.STUDY), 2, URL
        )
        answers[f"{partition.name} total"] = [str(studies.total).encode()]
        page = await services.index.search(Search(Level.STUDY, Scope(partition.name), limit=200))
        answers[f"{partition.name} total"] = [str(page.total).encode()]
        for study in (match.key[0] for match in page.matches):
            named = Scope(partition.name, study)
            held = services.index.instances(named)
            answers[f"{partition.name} {study}"] = [each async for each in metadata.datasets(services, held, URL)]
            answers[f"{partition.name} {study} tag"] = [(await metadata.entity_tag(services, named)).encode()]
    return answers
