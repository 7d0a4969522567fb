"""Values for extended query tags in the documents of studies, series and instances.

A tag's name is ``k`` and its key. All but the first are of studies and series only.

==================  ===========================================================================================
Property            Meaning
==================  ===========================================================================================
extended            folded values by tag
extended_versions   for each of these the version of the instance that it came from
told_tags           the tags whose values are part of ``told``: each instance up to ``newest`` that came since told
                    the same of them, which its batch does not write down again
==================  ===========================================================================================
"""

from collections.abc import Mapping
from typing import Any

from shared.dicom.conditions import MatchValue
from shared.dicom.model import Level
from shared.storage.index.cosmos import names
from shared.storage.index.cosmos.container import Document
from shared.storage.index.model import InstanceRecord, TagValue

OF_NOTHING: Mapping[str, Any] = {"extended": {}, "extended_versions": {}, "told_tags": []}
"""What a study or series has that was told nothing."""


def tag_name(tag: int) -> str:
    """A tag's name in documents."""
    return f"k{tag}"


def stored_value(told: TagValue) -> MatchValue:
    """A value as documents hold it."""
    return names.stored(str(told.value)) if told.tag.vr == "PN" else told.value


def values_of(record: InstanceRecord, level: Level) -> dict[str, MatchValue]:
    """What an instance says of a level, by tag."""
    return {tag_name(told.tag.key): stored_value(told) for told in record.extended if told.tag.level is level}


def version_of(parent: Document, tag: str) -> str:
    """The newest version known to have told a study or series its value for a tag; empty if it has none."""
    if tag not in parent["extended"]:
        return ""
    version: str = parent["newest"] if tag in parent["told_tags"] else parent["extended_versions"][tag]
    return version


def merged(parent: Document, version: str, values: Mapping[str, MatchValue]) -> tuple[Document, bool]:
    """What changes of a study or series that is told values by some version; False if it has newer ones."""
    versions = {tag: version_of(parent, tag) for tag in parent["extended"]}
    newer = {tag: value for tag, value in values.items() if versions.get(tag, "") <= version}
    is_newest = len(newer) == len(values)
    changed = {
        "extended": parent["extended"] | newer,
        "extended_versions": versions | dict.fromkeys(newer, version),
        "told_tags": sorted(values) if is_newest else [],
    }
    return changed, is_newest
