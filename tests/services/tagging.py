"""Extended query tags without HTTP: adding them, and what searches find by them."""

from shared.dicom.conditions import Equal, MatchValue
from shared.dicom.model import Level
from shared.services import operations
from shared.services.context import Services
from shared.services.reindex import REINDEX
from shared.storage.index.model import Scope, Search
from shared.storage.index.operations import Operation
from shared.storage.index.tags import QueryTag, TagDefinition
from tests.services.storing import PARTITION

ACQUISITION_NUMBER = TagDefinition("00200012", "IS", Level.INSTANCE)
MANUFACTURER = TagDefinition("00080070", "LO", Level.SERIES)
PATIENT_AGE = TagDefinition("00101010", "AS", Level.STUDY)
PRIVATE = TagDefinition("00111001", "LO", Level.INSTANCE, "TESTS")


async def add_tags(services: Services, *definitions: TagDefinition) -> Operation:
    """Add tags, and start the operation that indexes them."""
    operation = await operations.start(services, REINDEX, {"paths": [each.path for each in definitions]})
    await name_operation(services, operation, *definitions)
    return operation


async def name_operation(services: Services, operation: Operation, *definitions: TagDefinition) -> None:
    known = await services.index.tags.all()
    assert await services.index.tags.add(definitions, operation.id, known.generation)


async def tag(services: Services, definition: TagDefinition) -> QueryTag:
    (found,) = [each for each in (await services.index.tags.all()).tags if each.definition == definition]
    return found


async def finds(
    services: Services, definition: TagDefinition, value: MatchValue, partition: str = PARTITION
) -> set[str]:
    """The UIDs of what a search by a tag finds at the tag's level."""
    key = (await tag(services, definition)).index_key
    asked = Search(key.level, Scope(partition), (Equal(key.path, (value,)),), limit=200, tags=(key,))
    return {match.key[-1] for match in (await services.index.search(asked)).matches}
