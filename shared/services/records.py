"""From a scanned Part 10 file to the record that the index keeps of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from shared.dicom.attributes import INSTANCE_UID, SERIES_UID, STUDY_UID, Attribute
from shared.dicom.identifiers import is_uid, trim_uid
from shared.dicom.layout import encode_layout
from shared.dicom.matching import level_dataset, match_values
from shared.dicom.model import DataSet, Level, Part10
from shared.dicom.validation import cleaned, multi_valued, validate
from shared.dicomweb.codes import FailureReason
from shared.dicomweb.segments import deflated
from shared.dicomweb.store_answer import Failed
from shared.storage.index.model import Attributes, InstanceKey, InstanceRecord

SOP_CLASS_UID = "00080016"


class Refused(Exception):
    """An instance can't be stored; carries its entry in the answer."""

    def __init__(self, failure: Failed) -> None:
        super().__init__(failure.reason.name)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Admission:
    """An instance that passed validation. ``dataset`` lacks the elements that ``comments`` complain of."""

    sop_class: str
    study: str
    series: str
    instance: str
    dataset: DataSet
    comments: tuple[str, ...]
    multi_valued: bool

    def record(self, partition: str, version: int, blob: str, part10: Part10) -> InstanceRecord:
        """What the index keeps of the file stored as ``blob``."""
        return InstanceRecord(
            key=InstanceKey(partition, self.study, self.series, self.instance),
            version=version,
            blob=blob,
            length=part10.length,
            transfer_syntax=part10.transfer_syntax,
            metadata=deflated(orjson.dumps(self.dataset)),
            layout=encode_layout(part10),
            levels={
                level: Attributes(level_dataset(self.dataset, level), match_values(self.dataset, level))
                for level in Level
            },
        )


def admit(part10: Part10, study: str | None, api_version: int, extended: Sequence[Attribute] = ()) -> Admission:
    """Validate a scanned file by the rules of the API version; ``study`` is the UID the URL names, if any.

    ``extended`` are the attributes of the extended query tags whose values have to be valid. Raises Refused with the
    reason and comments that the store answer gives.
    """
    dataset = part10.dataset
    sop_class, instance = _uid(dataset, SOP_CLASS_UID), _uid(dataset, INSTANCE_UID)
    findings = validate(dataset, api_version, extended)
    if findings.errors:
        raise Refused(Failed(FailureReason.VALIDATION_FAILED, sop_class, instance, findings.errors))
    if study is not None and _uid(dataset, STUDY_UID) != trim_uid(study):
        raise Refused(Failed(FailureReason.STUDY_MISMATCH, sop_class, instance))
    return Admission(
        sop_class=sop_class or "",
        study=_uid(dataset, STUDY_UID) or "",
        series=_uid(dataset, SERIES_UID) or "",
        instance=instance or "",
        dataset=cleaned(dataset, findings),
        comments=findings.comments,
        multi_valued=bool(multi_valued(dataset, extended)),
    )


def refusal(reason: str, dataset: Mapping[str, Any]) -> Failed:
    """The entry of an instance that could not be read to its end, named by what is known of its data set."""
    return Failed(FailureReason.VALIDATION_FAILED, _uid(dataset, SOP_CLASS_UID), _uid(dataset, INSTANCE_UID), (reason,))


def _uid(dataset: Mapping[str, Any], tag: str) -> str | None:
    """The UID if it is one: anything else may be what must not be told."""
    element = dataset.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    value: Any = values[0] if isinstance(values, list) and values else None
    return trim_uid(value) if is_uid(value) else None
