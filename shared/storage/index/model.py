"""What goes into the index and comes out of it: plain values, the same for every adapter."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.dicom.conditions import Condition, MatchValue, Order
from shared.dicom.model import DataSet, Level


@dataclass(frozen=True, slots=True, order=True)
class InstanceKey:
    """The identity of an instance: unique within a data partition."""

    partition: str
    study: str
    series: str
    instance: str


@dataclass(frozen=True, slots=True)
class Attributes:
    """What one instance says of one level.

    ``dataset`` holds the attributes that search answers return; ``match`` the folded values that
    search compares, by attribute path (``00100010`` or ``00400275.00401001``). An attribute without
    a value is in neither, so that it never clears what an earlier instance gave.
    """

    dataset: DataSet
    match: Mapping[str, MatchValue]


@dataclass(frozen=True, slots=True)
class TagKey:
    """An extended query tag as the index knows it. ``key`` is never given to another one; ``path`` is 8 hex digits."""

    key: int
    path: str
    level: Level
    vr: str


@dataclass(frozen=True, slots=True)
class TagValue:
    """The folded value that an instance gives to an extended query tag."""

    tag: TagKey
    value: MatchValue


@dataclass(frozen=True, slots=True)
class InstanceRecord:
    """One stored version of an instance, ready to be committed.

    ``version`` is unique and grows with time. ``metadata`` is the DICOM JSON object, deflated, with relative
    BulkDataURIs, ``layout`` the encoded byte ranges that frames and bulk data are read by; either may be the name of a
    blob instead (``shared.services.aside``). The index only keeps them. ``extended`` are the instance's values for
    extended query tags.
    """

    key: InstanceKey
    version: int
    blob: str
    length: int
    transfer_syntax: str
    metadata: bytes = field(repr=False)
    layout: bytes = field(repr=False)
    levels: Mapping[Level, Attributes] = field(repr=False)
    extended: tuple[TagValue, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """An instance as reads see it."""

    key: InstanceKey
    version: int
    blob: str
    length: int
    transfer_syntax: str
    metadata: bytes = field(repr=False)
    layout: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Scope:
    """A partition, a study, a series or an instance: the part of the index that a path names."""

    partition: str
    study: str | None = None
    series: str | None = None
    instance: str | None = None


@dataclass(frozen=True, slots=True)
class ScopeState:
    """How many live instances a scope holds and the newest version among them: its entity tag."""

    version: int
    instances: int


@dataclass(frozen=True, slots=True)
class Search:
    """One search. Everything in ``conditions`` must hold. With no ``order``, newest first.

    ``tags`` are the extended query tags that conditions name by their paths.
    ``with_metadata`` asks for the newest matching instance's metadata in each match, ``with_modalities`` for the
    modalities of its study, which may be left out otherwise.
    """

    level: Level
    scope: Scope
    conditions: tuple[Condition, ...] = ()
    order: tuple[Order, ...] = ()
    limit: int = 100
    offset: int = 0
    with_metadata: bool = False
    with_modalities: bool = True
    tags: tuple[TagKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """One study, series or instance that a search found, with its parents' attributes.

    ``datasets`` holds the stored attributes of the match's own level and of those above, as JSON bytes.
    """

    key: tuple[str, ...]
    datasets: Mapping[Level, bytes]
    modalities: tuple[str, ...]
    study_series: int
    study_instances: int
    series_instances: int
    metadata: bytes | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of matches and how many there are altogether."""

    matches: tuple[Match, ...]
    total: int


DEFAULT_PARTITION = "Microsoft.Default"
"""The data partition of requests that name none; its key is 1."""


@dataclass(frozen=True, slots=True)
class Partition:
    """A data partition. ``created`` is in seconds since the epoch, UTC."""

    key: int
    name: str
    created: float


@dataclass(frozen=True, slots=True)
class Purge:
    """A blob whose instance is gone, to be removed from ``due`` (seconds since the epoch) on."""

    blob: str
    due: float
