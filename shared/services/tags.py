"""Extended query tags: adding, listing, changing and removing them, and what a search may do with them."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from shared.dicom.attributes import BY_PATH, Attribute
from shared.dicom.query_tags import ALWAYS_SEARCHABLE
from shared.errors import BadRequest, Conflict, NotFound, ServiceError, StorageError
from shared.services import operations
from shared.services.context import Services
from shared.services.erasing import ERASE
from shared.services.pages import page_of
from shared.services.reindex import REINDEX
from shared.storage.index.model import TagKey
from shared.storage.index.operations import Operation
from shared.storage.index.tags import QueryStatus, QueryTag, TagDefinition, TagError, TagSet, TagStatus
from shared.telemetry import describe

logger = logging.getLogger(__name__)

MAX_TAGS = 128
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class TagState:
    """A tag, and how many instances have a value for it that can't be indexed."""

    tag: QueryTag
    errors: int


@dataclass(frozen=True, slots=True)
class SearchTags:
    """The extended query tags that a search names.

    ``attributes`` are those that it finds instances by, by path; ``erroneous`` the paths of those that some instances
    could not be indexed by.
    """

    attributes: Mapping[str, Attribute]
    keys: Mapping[str, TagKey]
    erroneous: frozenset[str]


NO_TAGS = SearchTags({}, {}, frozenset())


async def add(services: Services, attributes: Sequence[Attribute], base_url: str) -> Operation:
    """Make attributes searchable; gives the operation that indexes what is stored already.

    Raises Conflict if one of them is an extended query tag already, or others are being indexed, BadRequest if they
    are too many.
    """
    known = await services.index.tags.all()
    _require_addable(known, attributes, base_url)
    definitions = [TagDefinition(each.path, each.vr, each.level, each.private_creator) for each in attributes]
    operation = await operations.start(services, REINDEX, {"paths": [each.path for each in attributes]})
    try:
        for _ in range(ATTEMPTS):
            if await services.index.tags.add(definitions, operation.id, known.generation) is not None:
                return operation
            known = await services.index.tags.all()
            _require_addable(known, attributes, base_url)
        raise Conflict("The extended query tags are being changed by other requests. Send the request again.")
    except BaseException:
        with suppress(ServiceError):
            await operations.cancel(services, operation.id)
        raise


async def page(services: Services, offset: int, limit: int) -> list[TagState]:
    """Tags in the order in which they were added."""
    found = (await services.index.tags.all()).tags[offset : offset + limit]
    return await _states(services, found)


async def get(services: Services, path: str) -> TagState:
    """The tag of a path. Raises NotFound."""
    (state,) = await _states(services, [await _tag(services, path)])
    return state


async def errors(
    services: Services, path: str, offset: int, limit: int, partitions: Collection[str] | None = None
) -> list[TagError]:
    """Why instances, of these data partitions or of all, could not be indexed by a tag, oldest first.

    Raises NotFound.
    """
    key = (await _tag(services, path)).key
    if partitions is None:
        return await services.index.tags.errors(key, offset, limit)
    read = partial(services.index.tags.errors, key)
    return await page_of(read, lambda error: error.key.partition in partitions, offset, limit)


async def set_query_status(services: Services, path: str, status: QueryStatus) -> TagState:
    """Let searches use a tag or not; gives the tag as it is then. Raises NotFound."""
    tag = await _tag(services, path)
    if not await services.index.tags.set_query_status(tag.key, status):
        raise _not_found(path)
    return await get(services, path)


async def delete(services: Services, path: str) -> None:
    """Remove a tag at once; its values are erased in the background.

    Raises NotFound, and BadRequest while it is being indexed.
    """
    tag = await _tag(services, path)
    if _is_being_indexed(tag):
        raise BadRequest(
            f"The extended query tag '{path}' is being indexed. It can be deleted when its operation has ended."
        )
    if not await services.index.tags.remove(tag.key):
        raise _not_found(path)
    try:
        await operations.start(services, ERASE, {"key": tag.key, "path": path})
    except StorageError as error:
        logger.error("The values of the removed tag %s (%d) stay: %s", path, tag.key, describe(error))


async def searched(services: Services, paths: Collection[str]) -> SearchTags:
    """What a search by attributes has to know of the tags among them. Raises BadRequest for one it may not use.

    An attribute that can be searched by anyway is looked up as such, but for searches at a higher level that only a
    tag allows.
    """
    if ALWAYS_SEARCHABLE.issuperset(paths):
        return NO_TAGS
    found = [tag for tag in (await services.index.tags.all()).tags if tag.definition.path in paths]
    if not found:
        return NO_TAGS
    used = {tag.definition.path: tag for tag in found if _is_looked_up(tag)}
    counts = await services.index.tags.error_counts([tag.key for tag in found])
    return SearchTags(
        attributes={path: tag.attribute for path, tag in used.items()},
        keys={path: tag.index_key for path, tag in used.items()},
        erroneous=frozenset(tag.definition.path for tag in found if counts.get(tag.key)),
    )


def _is_looked_up(tag: QueryTag) -> bool:
    path = tag.definition.path
    if tag.query_status is QueryStatus.DISABLED:
        raise BadRequest(f"Query is disabled on specified attribute '{path}'.")
    otherwise = BY_PATH.get(path)
    if tag.status is TagStatus.READY:
        return otherwise is None or tag.definition.level < otherwise.level
    if otherwise is None:
        raise BadRequest(f"AttributeId {path} is not queryable. It is an extended query tag that is not ready yet.")
    return False


def _require_addable(known: TagSet, attributes: Iterable[Attribute], base_url: str) -> None:
    under_way = next((tag.operation for tag in known.tags if _is_being_indexed(tag)), None)
    if under_way is not None:
        raise Conflict(
            "Other extended query tags are being indexed. Add these when that operation has ended.",
            headers={"Location": f"{base_url}/operations/{under_way}"},
        )
    paths, added = {tag.definition.path for tag in known.tags}, {each.path for each in attributes}
    if paths & added:
        raise Conflict("One or more extended query tags already exist.")
    if len(paths | added) > MAX_TAGS:
        raise BadRequest(f"There can be at most {MAX_TAGS} extended query tags; {len(paths)} exist already.")


def _is_being_indexed(tag: QueryTag) -> bool:
    return tag.status is TagStatus.ADDING and tag.operation is not None


async def _states(services: Services, tags: Sequence[QueryTag]) -> list[TagState]:
    counts = await services.index.tags.error_counts([tag.key for tag in tags]) if tags else {}
    return [TagState(tag, counts.get(tag.key, 0)) for tag in tags]


async def _tag(services: Services, path: str) -> QueryTag:
    found = next((tag for tag in (await services.index.tags.all()).tags if tag.definition.path == path), None)
    if found is None:
        raise _not_found(path)
    return found


def _not_found(path: str) -> NotFound:
    return NotFound(f"The specified extended query tag with tag path '{path}' cannot be found.")
