"""Extended query tags: attributes that an operator made searchable, the values instances have for them, and errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from shared.dicom.attributes import Attribute
from shared.dicom.model import Level
from shared.storage.index.model import InstanceKey, TagKey, TagValue


class TagStatus(StrEnum):
    """``ADDING`` until the instances that were there before are indexed."""

    ADDING = "adding"
    READY = "ready"


class QueryStatus(StrEnum):
    """Whether searches may use a tag."""

    ENABLED = "enabled"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class TagDefinition:
    """What makes an extended query tag. ``path`` is its tag as 8 hexadecimal digits in capitals.

    ``private_creator`` is None for standard attributes.
    """

    path: str
    vr: str
    level: Level
    private_creator: str | None = None


@dataclass(frozen=True, slots=True)
class QueryTag:
    """An extended query tag. ``key`` is never given to another one, also not to one of the same path.

    ``operation`` is the id of the operation that indexes it, while there is one.
    """

    key: int
    definition: TagDefinition
    status: TagStatus
    query_status: QueryStatus
    operation: str | None = None

    @property
    def index_key(self) -> TagKey:
        """What its values are indexed by."""
        return TagKey(self.key, self.definition.path, self.definition.level, self.definition.vr)

    @property
    def attribute(self) -> Attribute:
        """The searchable attribute that it makes."""
        made = self.definition
        return Attribute(made.path, made.path, made.vr, made.level, made.private_creator)


@dataclass(frozen=True, slots=True)
class TagSet:
    """All extended query tags by key. ``generation`` changes whenever one is added or removed; 0 is no tag ever."""

    generation: int = 0
    tags: tuple[QueryTag, ...] = ()


@dataclass(frozen=True, slots=True)
class TagEntry:
    """The values that the version of an instance gives to extended query tags."""

    key: InstanceKey
    version: int
    values: tuple[TagValue, ...]


@dataclass(frozen=True, slots=True)
class TagError:
    """Why an instance's value could not be indexed. ``time`` is in microseconds since the epoch, UTC."""

    tag: int
    key: InstanceKey
    version: int
    time: int
    message: str


class TagsChanged(Exception):
    """The index knows other tags than those whose values the records carry: nothing was committed."""


class Tags(Protocol):
    """The extended query tags and what is indexed by them."""

    @property
    def settle_seconds(self) -> float:
        """How long after a tag was added a commit may still take effect that does not know of it.

        0 where commits are checked against the generation.
        """

    async def all(self) -> TagSet:
        """Every tag."""

    async def add(self, tags: Sequence[TagDefinition], operation: str, generation: int) -> TagSet | None:
        """Add tags, ``ADDING`` and ``ENABLED``, that an operation indexes, all or none; gives all there are then.

        None, and nothing added, if the set is no longer of that generation.
        """

    async def remove(self, tag: int) -> bool:
        """Remove a tag; gives whether it was there. Its values and errors count no more, and stay until erased."""

    async def erase(self, tag: int, limit: int) -> int:
        """Erase up to ``limit`` values and errors of a removed tag; gives how many that were, 0 if none are left."""

    async def set_ready(self, tags: Sequence[int]) -> None:
        """Their indexing is done: ``READY``, and no operation any more."""

    async def release(self, tags: Sequence[int]) -> None:
        """Their indexing was given up: they stay ``ADDING``, without an operation."""

    async def set_query_status(self, tag: int, status: QueryStatus) -> bool:
        """Let searches use a tag or not; gives whether it is there."""

    async def index(self, entries: Sequence[TagEntry]) -> None:
        """Index values of instances that were committed without them.

        An instance whose version is no longer live is passed over. Where the value of a study or series came from a
        newer version it stays.
        """

    async def record_errors(self, errors: Sequence[TagError]) -> None:
        """Note errors of live versions, one for each tag and instance, and disable queries by these tags."""

    async def error_counts(self, tags: Sequence[int]) -> Mapping[int, int]:
        """How many instances with errors each of these tags has; tags without any are left out."""

    async def errors(self, tag: int, offset: int, limit: int) -> list[TagError]:
        """A page of a tag's errors, oldest first. Those of instances that were deleted or replaced are gone."""
