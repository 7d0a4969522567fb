"""Makes the records that the index contract is tried with."""

from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword

from shared.dicom.attributes import BY_PATH
from shared.dicom.matching import level_dataset, match_values
from shared.dicom.model import DataSet, Level
from shared.storage.index.model import DEFAULT_PARTITION, Attributes, InstanceKey, InstanceRecord
from shared.storage.versions import new_version

CT = "1.2.840.10008.5.1.4.1.1.2"
PATHS = {attribute.keyword: path for path, attribute in BY_PATH.items()}


def dataset(**values: Any) -> DataSet:
    """A data set by keywords. A person's name is its alphabetic group or a dict, an item a dict of keywords."""
    elements = {}
    for keyword, given in values.items():
        tag = tag_for_keyword(keyword)
        assert tag is not None
        vr = dictionary_VR(tag)
        listed = given if isinstance(given, list) else [given]
        if vr == "PN":
            listed = [name if isinstance(name, dict) else {"Alphabetic": name} for name in listed]
        if vr == "SQ":
            listed = [dataset(**item) for item in listed]
        elements[f"{tag:08X}"] = {"vr": vr, "Value": listed} if given is not None else {"vr": vr}
    return dict(sorted(elements.items()))


def record(
    study: str = "1",
    series: str = "1.1",
    instance: str = "1.1.1",
    *,
    partition: str = DEFAULT_PARTITION,
    version: int | None = None,
    metadata: bytes = b"metadata",
    layout: bytes = b"layout",
    **values: Any,
) -> InstanceRecord:
    """A record of an instance with these attributes, by keyword, beside its UIDs."""
    version = new_version() if version is None else version
    uids = {"StudyInstanceUID": study, "SeriesInstanceUID": series, "SOPInstanceUID": instance}
    told = dataset(**{"SOPClassUID": CT, **values, **uids})
    return InstanceRecord(
        key=InstanceKey(partition, study, series, instance),
        version=version,
        blob=f"{partition}/{version}.dcm",
        length=1000,
        transfer_syntax="1.2.840.10008.1.2.1",
        metadata=metadata,
        layout=layout,
        levels={level: Attributes(level_dataset(told, level), match_values(told, level)) for level in Level},
    )


def study(uid: str, **values: Any) -> InstanceRecord:
    """A record of the one instance of a study."""
    return record(uid, f"{uid}.1", f"{uid}.1.1", **values)
