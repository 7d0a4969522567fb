"""What the documents of studies, series, instances and purges look like; those of events are up to ``outbox``.

Every document holds ``partition`` and ``study``, the partition key; ``kind``; and an ``id`` unique among those of its
study. Versions are text of 19 digits, since Cosmos DB's numbers are doubles, which round what has more than 15.

==============  ===============================================================================================
Property        Meaning
==============  ===============================================================================================
place           ``STUDY`` for a study, ``STUDY/SERIES`` for a series and for its instances
version         an instance's
noted           of an instance, the event that notes this version of it (``outbox``)
created         of a study or series, the version that it began with: newest first is in its order
newest          of a study or series, the version committed last
told            of a study or series, a fingerprint of the attributes merged in last
match           folded values by attribute path; names of persons as ``names.stored`` writes them
sort            for each of these a text to sort by upwards and one to sort by downwards (``sort_keys``)
dataset         the attributes that search answers return, as JSON text
modalities      of a study, folded, each once
modality_names  of a study: for each of these how it is written, and how many series have it
metadata        of an instance, like its layout in base64
extended        values for extended query tags, described in ``extended``
errors          of an instance, when a value for an extended query tag could not be indexed, by tag
messages        for each of these why
==============  ===============================================================================================
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

from shared.dicom.attributes import BY_PATH, LEVEL_UID, MODALITIES_IN_STUDY, SEARCHABLE
from shared.dicom.conditions import MatchValue
from shared.dicom.model import Level
from shared.storage.index.cosmos import names
from shared.storage.index.cosmos.container import Document, Key
from shared.storage.index.cosmos.extended import OF_NOTHING, merged, values_of
from shared.storage.index.model import Attributes, InstanceKey, InstanceRecord, Scope, StoredInstance

STUDY, SERIES, INSTANCE, PURGE = "study", "series", "instance", "purge"
KINDS = {Level.STUDY: STUDY, Level.SERIES: SERIES, Level.INSTANCE: INSTANCE}
STUDY_ID = "study"
MODALITY = "00080060"

KNOWN_COLUMNS = (
    "c.id, c.partition, c.study, c.kind, c._etag, c.place, c.series, c.created, c.newest, c.number_of_series, "
    "c.number_of_instances, c.told, c.match, c.sort, c.dataset, c.modalities, c.modality_names, "
    "c.extended, c.extended_versions, c.told_tags, c.version, c.noted, c.replaced, c.blob"
)
"""All of studies and series, and of instances what tells which version is there."""

_VERSION_DIGITS = 19
_LAST_VERSION = 10**_VERSION_DIGITS - 1
_INTEGER_BIAS = 2**63

_PATHS: dict[Level, list[str]] = {
    level: [each.path for each in SEARCHABLE if each.level is level and each.path not in LEVEL_UID.values()]
    for level in Level
}
"""The searchable attributes of each level but its UID, which is a property of its own."""


def series_id(series: str) -> str:
    """The id of a series' document."""
    return f"series_{series}"


def instance_id(series: str, instance: str) -> str:
    """The id of an instance's document."""
    return f"instance_{series}_{instance}"


def place(study: str, series: str | None = None) -> str:
    """The ``place`` of a study or series."""
    return study if series is None else f"{study}/{series}"


def key_of(scope: Scope | InstanceKey) -> Key:
    """The partition key of a study, or the first half of it where the scope is a whole partition."""
    return [scope.partition] if scope.study is None else [scope.partition, scope.study]


def version_text(version: int) -> str:
    """A version as documents hold it."""
    return f"{version:0{_VERSION_DIGITS}}"


@dataclass(frozen=True, slots=True)
class Told:
    """What an instance says of its study or series. ``fingerprint`` is the same text for the same."""

    version: str
    attributes: Attributes
    extended: Mapping[str, MatchValue]
    fingerprint: str


def told_of(record: InstanceRecord, level: Level) -> Told:
    """What a record says of a level. Raises TypeError for values that no JSON can hold."""
    attributes, values = record.levels[level], values_of(record, level)
    said = orjson.dumps((attributes.dataset, dict(attributes.match), sorted(values.items())))
    return Told(version_text(record.version), attributes, values, blake2b(said, digest_size=8).hexdigest())


def instance_document(record: InstanceRecord) -> Document:
    """The document of an instance that replaces no other."""
    key, own = record.key, record.levels[Level.INSTANCE]
    version = version_text(record.version)
    return {
        "id": instance_id(key.series, key.instance),
        "partition": key.partition,
        "study": key.study,
        "kind": INSTANCE,
        "place": place(key.study, key.series),
        "instance": key.instance,
        "version": version,
        "replaced": False,
        "blob": record.blob,
        "length": record.length,
        "transfer_syntax": record.transfer_syntax,
        "metadata": b64encode(record.metadata).decode(),
        "layout": b64encode(record.layout).decode(),
        **_searchable(Level.INSTANCE, own.match, version),
        "extended": values_of(record, Level.INSTANCE),
        "errors": {},
        "messages": {},
        "dataset": _json(own.dataset),
    }


def study_document(key: InstanceKey, version: str) -> Document:
    """The document of a study that holds nothing yet."""
    return {
        **_parent(key, STUDY_ID, Level.STUDY, version),
        "place": place(key.study),
        "number_of_series": 0,
        "modalities": [],
        "modality_names": {},
    }


def series_document(key: InstanceKey, version: str) -> Document:
    """The document of a series that holds nothing yet."""
    return {
        **_parent(key, series_id(key.series), Level.SERIES, version),
        "place": place(key.study, key.series),
        "series": key.series,
    }


def _parent(key: InstanceKey, document: str, level: Level, version: str) -> Document:
    return {
        "id": document,
        "partition": key.partition,
        "study": key.study,
        "kind": KINDS[level],
        "created": version,
        "newest": version,
        "number_of_instances": 0,
        "told": "",
        **_searchable(level, {}, version),
        **OF_NOTHING,
        "dataset": "{}",
    }


def purge_document(key: Key, blob: str, due: float, cause: str) -> Document:
    """The document of a blob that waits to be purged; ``cause`` names the change that put it there."""
    partition, study = key
    return {
        "id": f"purge_{blake2b(blob.encode(), digest_size=16).hexdigest()}",
        "partition": partition,
        "study": study,
        "kind": PURGE,
        "blob": blob,
        "due": due,
        "cause": cause,
    }


def merge(document: Document, told: Told) -> Document:
    """A study or series after it was told more: the newest value of each attribute, none cleared."""
    dataset = orjson.loads(document["dataset"]) | told.attributes.dataset
    match = {path: stored(path, value) for path, value in told.attributes.match.items() if path in document["sort"]}
    extended, is_newest = merged(document, told.version, told.extended)
    return document | {
        # where it holds something newer than it was told, who tells it the same later must be heard
        "told": told.fingerprint if is_newest else "",
        "match": document["match"] | match,
        "sort": document["sort"] | {path: sort_keys(value, document["created"]) for path, value in match.items()},
        "dataset": _json(dict(sorted(dataset.items()))),
        **extended,
    }


def count_series(study: Document, was: Document | None, becomes: Document | None) -> Document:
    """A study after one of its series came, changed or went; None stands for no series."""
    counted: dict[str, list[Any]] = dict(study["modality_names"])
    for series, by in ((was, -1), (becomes, 1)):
        if series is not None and (folded := modality(series)) is not None:
            written = str(orjson.loads(series["dataset"])[MODALITY]["Value"][0])
            name, number = counted.get(folded, (written, 0))
            counted[folded] = [written if by > 0 else name, number + by]
    left = {folded: entry for folded, entry in sorted(counted.items()) if entry[1] > 0}
    first = sort_keys(next(iter(left), None), study["created"])
    return study | {
        "number_of_series": study["number_of_series"] + (becomes is not None) - (was is not None),
        "modalities": list(left),
        "modality_names": left,
        "sort": study["sort"] | {MODALITIES_IN_STUDY: first},
    }


def _searchable(level: Level, match: Mapping[str, MatchValue], version: str) -> Document:
    kept = {path: stored(path, match[path]) for path in _PATHS[level] if path in match}
    return {"match": kept, "sort": {path: sort_keys(kept.get(path), version) for path in _PATHS[level]}}


def stored(path: str, value: MatchValue) -> MatchValue:
    """A folded value as documents hold it."""
    return names.stored(str(value)) if BY_PATH[path].vr == "PN" else value


def sort_keys(value: MatchValue | None, version: str) -> dict[str, str]:
    """Texts that sort by the value, newest first where it is the same, documents without a value last.

    ``up`` is for ascending, ``down`` for descending order.
    """
    text = str(value) if not isinstance(value, int | float) else f"{int(value) + _INTEGER_BIAS:020}"
    backwards = f"{_LAST_VERSION - int(version):0{_VERSION_DIGITS}}"
    if value is None:
        return {"up": f"1\x01{backwards}", "down": f"0\x01{version}"}
    return {"up": f"0{text}\x01{backwards}", "down": f"1{text}\x01{version}"}


def plain(document: Document) -> Document:
    """A document as it is written: without its entity tag."""
    return {name: value for name, value in document.items() if name != "_etag"}


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def stored_instance(document: Document) -> StoredInstance:
    """The instance that a document tells of."""
    study, _, series = document["place"].partition("/")
    return StoredInstance(
        InstanceKey(document["partition"], study, series, document["instance"]),
        int(document["version"]),
        document["blob"],
        document["length"],
        document["transfer_syntax"],
        metadata_of(document),
        b64decode(document["layout"]),
    )


def metadata_of(document: Mapping[str, Any]) -> bytes:
    """An instance's metadata."""
    return b64decode(document["metadata"])


def modality(series: Mapping[str, Any]) -> str | None:
    """That of a series, folded."""
    folded: str | None = series["match"].get(MODALITY)
    return folded


def modality_names(study: Mapping[str, Any]) -> tuple[str, ...]:
    """The modalities of a study as they are written."""
    return tuple(sorted(name for name, _ in study["modality_names"].values()))
