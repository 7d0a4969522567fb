"""Working out, before anything is written, the batch that takes records of one study into the index."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.dicom.model import Level
from shared.storage.index.cosmos.container import Document, Operation
from shared.storage.index.cosmos.documents import (
    Told,
    count_series,
    instance_document,
    key_of,
    merge,
    modality,
    plain,
    purge_document,
    series_document,
    study_document,
    told_of,
)
from shared.storage.index.cosmos.outbox import Change, event_document, named, new_event
from shared.storage.index.feed import Action
from shared.storage.index.model import InstanceRecord
from shared.storage.index.port import CommitMode, CommitResult


@dataclass(slots=True, eq=False)
class Draft:
    """A record on its way into the index, and who waits for what becomes of it.

    ``size`` is that of its document in bytes.
    """

    record: InstanceRecord
    mode: CommitMode
    purge_due: float
    document: Document
    size: int
    study: Told
    series: Told
    future: "asyncio.Future[CommitResult]"


def draft(record: InstanceRecord, mode: CommitMode, purge_due: float) -> Draft:
    """Prepare a record. Raises TypeError if it holds what no document can."""
    document = instance_document(record)
    return Draft(
        record=record,
        mode=mode,
        purge_due=purge_due,
        document=document,
        size=len(json.dumps(document)),
        study=told_of(record, Level.STUDY),
        series=told_of(record, Level.SERIES),
        future=asyncio.get_running_loop().create_future(),
    )


@dataclass(slots=True)
class Known:
    """What this process knows of a study's documents; others may have changed them since.

    A study or series without ``_etag`` was changed by patches, whose answers do not show it: its counters are out of
    date, and so it can be patched again but not replaced. ``looked_up`` are the series that were just looked for, with
    the instances that are to be written.
    """

    study: Document | None = None
    series: dict[str, Document] = field(default_factory=dict)
    instances: dict[str, Document] = field(default_factory=dict)
    looked_up: frozenset[str] = frozenset()

    def is_sure_of(self, series: str) -> bool:
        """Whether it holds the series, or there is none."""
        if self.study is None or len(self.series) == self.study["number_of_series"]:
            return True
        return series in self.series or series in self.looked_up


class Outdated(Exception):
    """What is known does not suffice to plan by: read the documents first."""


class _Parent:
    """The document of a study or series, and what the batch does to it."""

    def __init__(self, before: Document | None, document: Document) -> None:
        self._before = before
        self._rewritten = False
        self._instances = 0
        self.document = document

    @property
    def is_new(self) -> bool:
        """Whether the batch creates it."""
        return self._before is None

    def hear(self, told: Told) -> None:
        """Take in what one more instance says."""
        if told.fingerprint != self.document["told"]:
            self.rewrite(merge(self.document, told))

    def rewrite(self, document: Document) -> None:
        """Take another form."""
        self.document = document
        self._rewritten = True

    def count(self, instances: int, version: str) -> None:
        """Count new instances; ``version`` is one that was kept."""
        self._instances += instances
        self.document = self.document | {
            "number_of_instances": self.document["number_of_instances"] + instances,
            "newest": max(self.document["newest"], version),
        }

    def operation(self) -> Operation:
        """Counting alone is a patch, which many processes can make at once as long as they are told the same."""
        name = self.document["id"]
        if self._before is None:
            return "create", (self.document,), {}
        if self._rewritten:
            if "_etag" not in self._before:
                raise Outdated
            return "replace", (name, plain(self.document)), {"if_match_etag": self._before["_etag"]}
        changes = [
            {"op": "set", "path": "/newest", "value": self.document["newest"]},
            {"op": "incr", "path": "/number_of_instances", "value": self._instances},
        ]
        return "patch", (name, changes), {"filter_predicate": f"FROM c WHERE c.told = '{self.document['told']}'"}

    def after(self, etag: str) -> Document:
        """What is known of the document once the operation has given this entity tag."""
        known = plain(self.document)
        return known | {"_etag": etag} if self._rewritten else known


class Plan:
    """The documents to be written for some records of one study."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._study: _Parent | None = None
        self._series: dict[str, _Parent] = {}
        self._current = dict(known.instances)
        self._instances: dict[str, Operation] = {}
        self._purges: dict[str, Document] = {}
        self._event = new_event()
        self._changes: list[Change] = []

    def place(self, draft: Draft) -> CommitResult:
        """Plan for one record; gives what will have become of it. Raises Outdated."""
        record, version = draft.record, draft.document["version"]
        current = self._current.get(draft.document["id"])
        if current is None:
            self._keep(draft, None)
            return CommitResult.CREATED
        if current["version"] == version:
            return CommitResult.REPLACED if current["replaced"] else CommitResult.CREATED
        if draft.mode is CommitMode.CREATE:
            return CommitResult.EXISTS
        if version < current["version"]:
            # its successor came in first: to the caller it was replaced as soon as it was stored
            self._purge(draft, record.blob)
        else:
            self._purge(draft, current["blob"])
            self._keep(draft, current)
        return CommitResult.REPLACED

    def operations(self) -> list[Operation]:
        """The batch; empty if nothing is to be done. Raises Outdated.

        What fails if something is there comes first, since a batch that fails costs what it did until then.
        """
        rest: list[Operation] = [("upsert", (each,), {}) for each in self._purges.values()]
        if self._changes:
            key = key_of(self._changes[0].key)
            rest.append(("create", (event_document(self._event, key, self._changes),), {}))
        created, changed = self._parents()
        instances = self._instances.values()
        return [*(each.operation() for each in created), *instances, *(each.operation() for each in changed), *rest]

    def outcome(self, etags: Sequence[str]) -> Known:
        """What is known once the batch was carried out and gave these entity tags."""
        created, changed = self._parents()
        changed_etags = etags[len(created) + len(self._instances) :]
        after = [each.after(etag) for each, etag in zip(created, etags, strict=False)]
        after += [each.after(etag) for each, etag in zip(changed, changed_etags, strict=False)]
        study = next((each for each in after if "series" not in each), self._known.study)
        return Known(study, self._known.series | {each["series"]: each for each in after if "series" in each})

    def _parents(self) -> tuple[list[_Parent], list[_Parent]]:
        """Those that the batch creates, and those that it changes."""
        parents = [] if self._study is None else [self._study, *self._series.values()]
        return [each for each in parents if each.is_new], [each for each in parents if not each.is_new]

    def _purge(self, draft: Draft, blob: str) -> None:
        document = purge_document(key_of(draft.record.key), blob, draft.purge_due, draft.document["version"])
        self._purges[document["id"]] = document

    def _keep(self, draft: Draft, before: Document | None) -> None:
        key, version = draft.record.key, draft.document["version"]
        if self._study is None:
            self._study = _Parent(self._known.study, self._known.study or study_document(key, version))
        study = self._study
        study.hear(draft.study)
        series, was = self._series_of(draft)
        series.hear(draft.series)
        if was is None or modality(was) != modality(series.document):
            study.rewrite(count_series(study.document, was, series.document))
        for parent in (study, series):
            parent.count(0 if before else 1, version)
        self._put(draft.document | {"noted": self._event}, before)
        self._changes.append(Change(key, Action.UPDATE if before else Action.CREATE, version, named(before)))

    def _series_of(self, draft: Draft) -> tuple[_Parent, Document | None]:
        """The series of a record, and its document so far; None if the record begins it."""
        key = draft.record.key
        if key.series in self._series:
            return self._series[key.series], self._series[key.series].document
        if not self._known.is_sure_of(key.series):
            raise Outdated
        before = self._known.series.get(key.series)
        made = _Parent(before, before or series_document(key, draft.document["version"]))
        self._series[key.series] = made
        return made, before

    def _put(self, document: Document, before: Document | None) -> None:
        name = document["id"]
        if before is None:
            self._instances[name] = ("create", (document,), {})
        else:
            document = document | {"replaced": True}
            if name in self._instances and self._instances[name][0] == "create":
                self._instances[name] = ("create", (document,), {})
            else:
                etag = self._known.instances[name]["_etag"]
                self._instances[name] = ("replace", (name, document), {"if_match_etag": etag})
        self._current[name] = document
