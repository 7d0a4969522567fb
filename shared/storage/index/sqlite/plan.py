"""Working out, before anything is written, what a batch of records changes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import orjson

from shared.dicom.model import Level
from shared.storage.index.feed import Action
from shared.storage.index.model import Attributes, InstanceKey, InstanceRecord
from shared.storage.index.port import CommitMode, CommitResult
from shared.storage.index.sqlite.clauses import stored
from shared.storage.index.sqlite.rows import Row
from shared.storage.index.sqlite.schema import COLUMNS
from shared.storage.index.sqlite.values import TagValues


@dataclass(frozen=True, slots=True)
class Draft:
    """A record on its way into the index, with a fingerprint of what it says of its study and series.

    ``generation`` is that of the extended query tags whose values it carries.
    """

    record: InstanceRecord
    mode: CommitMode
    purge_due: float
    generation: int
    study: int
    series: int


def draft(record: InstanceRecord, mode: CommitMode, purge_due: float, generation: int) -> Draft:
    """Prepare a record for the writer."""
    study, series = (_fingerprint(record.levels[level]) for level in (Level.STUDY, Level.SERIES))
    return Draft(record, mode, purge_due, generation, study, series)


def _fingerprint(attributes: Attributes) -> int:
    told = orjson.dumps((attributes.dataset, dict(attributes.match)))
    return int.from_bytes(blake2b(told, digest_size=8).digest(), "big", signed=True)


@dataclass(slots=True)
class Parent:
    """The row of a partition, study or series, and what the batch adds to it.

    ``identity`` holds the ids of the rows above it and its name. ``fingerprint`` is that of the attributes merged in
    last: ``news`` are those that say something else, in order. The counters count what the batch adds.
    """

    id: int
    identity: tuple[Any, ...]
    fingerprint: int | None = None
    is_new: bool = False
    news: list[Attributes] = field(default_factory=list)
    studies: int = 0
    series: int = 0
    instances: int = 0

    def hear(self, fingerprint: int, attributes: Attributes) -> None:
        """Take in what one more instance says."""
        if fingerprint != self.fingerprint:
            self.fingerprint = fingerprint
            self.news.append(attributes)


@dataclass(frozen=True, slots=True)
class Known:
    """An instance that the index holds, or will once the batch is written."""

    id: int
    version: int
    replaced: bool
    blob: str


@dataclass(frozen=True, slots=True)
class NextIds:
    """The ids that new rows get. The writer holds the only lock that lets rows be made."""

    partition: Iterator[int]
    study: Iterator[int]
    series: Iterator[int]
    instance: Iterator[int]


@dataclass(slots=True)
class Plan:
    """The rows that are there, and those to be written.

    ``now`` is the time of the entries in the feed, ``generation`` that of the extended query tags that are there.
    """

    ids: NextIds
    now: int
    generation: int
    partitions: dict[str, Parent] = field(default_factory=dict)
    studies: dict[tuple[str, str], Parent] = field(default_factory=dict)
    series: dict[tuple[str, str, str], Parent] = field(default_factory=dict)
    instances: dict[InstanceKey, Known] = field(default_factory=dict)
    instance_rows: dict[int, Row] = field(default_factory=dict)
    content_rows: dict[int, Row] = field(default_factory=dict)
    purges: dict[str, float] = field(default_factory=dict)
    changes: list[Row] = field(default_factory=list)
    values: TagValues = field(default_factory=TagValues)

    def place(self, draft: Draft) -> CommitResult | None:
        """Plan for one record; gives what will have become of it, None if it carries values for other tags."""
        if draft.generation != self.generation:
            return None
        record = draft.record
        known = self.instances.get(record.key)
        if known is None:
            self._keep(draft, next(self.ids.instance), replaced=False)
            return CommitResult.CREATED
        if known.version == record.version:
            return CommitResult.REPLACED if known.replaced else CommitResult.CREATED
        if draft.mode is CommitMode.CREATE:
            return CommitResult.EXISTS
        if record.version < known.version:
            # its successor came in first: to the caller it was replaced as soon as it was stored
            self.purges[record.blob] = draft.purge_due
        else:
            self.purges[known.blob] = draft.purge_due
            self._keep(draft, known.id, replaced=True)
        return CommitResult.REPLACED

    def _keep(self, draft: Draft, row: int, *, replaced: bool) -> None:
        record, key = draft.record, draft.record.key
        partition = self._partition(key)
        study = self._study(key, partition)
        series = self._series(key, partition, study)
        study.hear(draft.study, record.levels[Level.STUDY])
        series.hear(draft.series, record.levels[Level.SERIES])
        if not replaced:
            for parent in (partition, study, series):
                parent.instances += 1
        self.instances[key] = Known(row, record.version, replaced, record.blob)
        own = record.levels[Level.INSTANCE]
        self.instance_rows[row] = (
            *(row, partition.id, study.id, series.id, key.instance, record.version, int(replaced)),
            *(record.blob, record.length, record.transfer_syntax),
            *column_values(Level.INSTANCE, own),
        )
        self.content_rows[row] = (row, orjson.dumps(own.dataset), record.metadata, record.layout)
        if replaced and self.generation:
            self.values.replace(row)
        if record.extended:
            ids = {Level.STUDY: study.id, Level.SERIES: series.id, Level.INSTANCE: row}
            self.values.tell(ids, partition.id, record.version, record.extended)
        action = Action.UPDATE if replaced else Action.CREATE
        self.changes.append((self.now, partition.id, key.study, key.series, key.instance, action, record.version))

    def _partition(self, key: InstanceKey) -> Parent:
        name = key.partition
        if name not in self.partitions:
            self.partitions[name] = Parent(next(self.ids.partition), (name,), is_new=True)
        return self.partitions[name]

    def _study(self, key: InstanceKey, partition: Parent) -> Parent:
        name = (key.partition, key.study)
        if name not in self.studies:
            self.studies[name] = Parent(next(self.ids.study), (partition.id, key.study), is_new=True)
            partition.studies += 1
        return self.studies[name]

    def _series(self, key: InstanceKey, partition: Parent, study: Parent) -> Parent:
        name = (key.partition, key.study, key.series)
        if name not in self.series:
            self.series[name] = Parent(next(self.ids.series), (partition.id, study.id, key.series), is_new=True)
            for parent in (partition, study):
                parent.series += 1
        return self.series[name]


def column_values(level: Level, attributes: Attributes) -> Row:
    """A level's searchable values as its columns hold them, None for those that are missing."""
    match = attributes.match
    return tuple(stored(match.get(column.path), is_person_name=column.is_person_name) for column in COLUMNS[level])
