"""The extended query tags over Cosmos DB: one document of the catalog holds them all, so that they change together."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from shared.dicom.model import Level
from shared.storage.index.cosmos import patience as limits
from shared.storage.index.cosmos.catalog import take_place
from shared.storage.index.cosmos.container import Container, Document
from shared.storage.index.cosmos.patience import Patience
from shared.storage.index.cosmos.tag_errors import TagErrors
from shared.storage.index.cosmos.tag_values import TagValues
from shared.storage.index.tags import (
    QueryStatus,
    QueryTag,
    TagDefinition,
    TagEntry,
    TagError,
    TagSet,
    TagStatus,
)

TAGS = "tags"
KEY = [TAGS]
REMEMBERED_S = 5.0
"""How long a process may go by the tags that it read."""

Listed: TypeAlias = dict[str, Any]
"""A tag as the document lists it. ``has_errors`` tells that some were recorded."""


class CosmosTags:
    """The extended query tags. See ``Tags`` for what each method does."""

    def __init__(self, index: Container, catalog: Container) -> None:
        self._catalog = catalog
        self._values = TagValues(index)
        self._errors = TagErrors(index)

    @property
    def settle_seconds(self) -> float:
        """Commits are not checked against the generation: no batch reaches from a study into the catalog.

        So this is how old a process's knowledge may be, and how long it tries to write what it made of that.
        """
        return REMEMBERED_S + limits.DEADLINE_S

    async def all(self) -> TagSet:
        return _tag_set(await self._read())

    async def add(self, tags: Sequence[TagDefinition], operation: str, generation: int) -> TagSet | None:
        def added(known: Document) -> Document | None:
            if known["generation"] != generation:
                return None
            following = known["next"]
            new = [_listed(key, definition, operation) for key, definition in enumerate(tags, following)]
            return known | {
                "generation": generation + 1,
                "next": following + len(new),
                "tags": [*known["tags"], *new],
            }

        after = await self._change(added)
        return None if after is None else _tag_set(after)

    async def remove(self, tag: int) -> bool:
        def removed(known: Document) -> Document | None:
            left = [each for each in known["tags"] if each["key"] != tag]
            if len(left) == len(known["tags"]):
                return None
            return known | {"generation": known["generation"] + 1, "tags": left}

        return await self._change(removed) is not None

    async def erase(self, tag: int, limit: int) -> int:
        return await self._values.erase(tag, limit)

    async def set_ready(self, tags: Sequence[int]) -> None:
        await self._set(tags, status=TagStatus.READY, operation=None)

    async def release(self, tags: Sequence[int]) -> None:
        await self._set(tags, operation=None)

    async def set_query_status(self, tag: int, status: QueryStatus) -> bool:
        return await self._set([tag], query_status=status)

    async def index(self, entries: Sequence[TagEntry]) -> None:
        known = await self._keys()
        await self._values.index(entries, known)

    async def record_errors(self, errors: Sequence[TagError]) -> None:
        known = await self._keys()
        live = await self._errors.live([error for error in errors if error.tag in known])
        # first the tags: errors that are not found by them would not be counted
        tags = sorted({error.tag for error in live})
        await self._set(tags, query_status=QueryStatus.DISABLED, has_errors=True)
        await self._errors.record(live)

    async def error_counts(self, tags: Sequence[int]) -> Mapping[int, int]:
        known = await self._read()
        return await self._errors.counts(
            [each["key"] for each in known["tags"] if each["has_errors"] and each["key"] in tags]
        )

    async def errors(self, tag: int, offset: int, limit: int) -> list[TagError]:
        return await self._errors.page(tag, offset, limit) if tag in await self._keys() else []

    async def _keys(self) -> frozenset[int]:
        return frozenset(each["key"] for each in (await self._read())["tags"])

    async def _set(self, tags: Sequence[int], **properties: Any) -> bool:
        """Set properties of some tags; gives whether any of them is there."""
        found = False

        def changed(known: Document) -> Document | None:
            nonlocal found
            found = any(each["key"] in tags for each in known["tags"])
            after = [each | properties if each["key"] in tags else each for each in known["tags"]]
            return known | {"tags": after} if after != known["tags"] else None

        await self._change(changed)
        return found

    async def _read(self, patience: Patience | None = None) -> Document:
        found = await self._catalog.read(TAGS, KEY, patience)
        return found or {"id": TAGS, "kind": TAGS, "generation": 0, "next": 1, "tags": []}

    async def _change(self, change: Callable[[Document], Document | None]) -> Document | None:
        """Change the document; gives it, or None if nothing was to be changed."""
        patience = Patience()
        while True:
            before = await self._read(patience)
            after = change(before)
            if after is None:
                return None
            if await take_place(self._catalog, before if "_etag" in before else None, after, patience):
                return after
            await patience.pause()


def _listed(key: int, definition: TagDefinition, operation: str) -> Listed:
    return {
        "key": key,
        "path": definition.path,
        "vr": definition.vr,
        "level": int(definition.level),
        "private_creator": definition.private_creator,
        "status": TagStatus.ADDING,
        "query_status": QueryStatus.ENABLED,
        "operation": operation,
        "has_errors": False,
    }


def _tag_set(document: Document) -> TagSet:
    return TagSet(document["generation"], tuple(map(_tag, document["tags"])))


def _tag(listed: Listed) -> QueryTag:
    return QueryTag(
        listed["key"],
        TagDefinition(listed["path"], listed["vr"], Level(listed["level"]), listed["private_creator"]),
        TagStatus(listed["status"]),
        QueryStatus(listed["query_status"]),
        listed["operation"],
    )
