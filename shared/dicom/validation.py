"""Whether an instance can be stored, and which of its elements are too broken to be shown and searched.

The same problem weighs differently in the two versions of the API:

=============================================  ===================  ==================
Problem                                        version 1            version 2
=============================================  ===================  ==================
a UID of REQUIRED is missing or malformed      the instance fails   the instance fails
PatientID is absent or malformed               the instance fails   the instance fails
PatientID is empty (it is of type 2, PS3.3)    the instance fails   warning
another of ALWAYS_SEARCHABLE is malformed      the instance fails   element is dropped
the value of an extended query tag is invalid  the instance fails   element is dropped
any other element is malformed                 none                 element is dropped
=============================================  ===================  ==================
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from shared.dicom.attributes import INSTANCE_UID, SEARCHABLE, SERIES_UID, STUDY_UID, Attribute
from shared.dicom.model import DataSet
from shared.dicom.query_tags import ALWAYS_SEARCHABLE, InvalidTagValue, place_of, unexpected_vr, value_of
from shared.dicom.standard import is_single_valued, keyword_for_tag
from shared.dicom.vr_rules import MINIMUM_RULES, RULES, Rule

SOP_CLASS_UID = "00080016"
PATIENT_ID = "00100020"
REQUIRED = (STUDY_UID, SERIES_UID, INSTANCE_UID, SOP_CLASS_UID, PATIENT_ID)
_JUDGED_IN_VERSION_1 = tuple(each for each in SEARCHABLE if each.path in ALWAYS_SEARCHABLE.union(REQUIRED))

_Element: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with one element. ``path`` is its place, written as in a BulkDataURI reference
    (``TAG/ITEM/TAG``), or None where nothing stands that could be dropped."""

    path: str | None
    tag: str
    comment: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong with a data set. ``errors`` are the comments on what makes the instance fail; ``warnings`` are
    all elements that do not and are to be dropped. A comment reads ``DICOM100: (gggg,eeee) - {message}``."""

    errors: tuple[str, ...] = ()
    warnings: tuple[Finding, ...] = ()

    @property
    def comments(self) -> tuple[str, ...]:
        """What to report of the warnings: the first comment on each tag number, at whatever depth it stands."""
        return _first_per_tag(self.warnings)


def validate(dataset: DataSet, api_version: int, extended: Sequence[Attribute] = ()) -> Findings:
    """Judge a scanned data set by the rules of the API version (1 or 2); ``extended`` are the extended query tags."""
    identity, tags = list(_identity(dataset)), list(_extended(dataset, extended))
    if api_version < 2:
        return Findings(
            errors=_first_per_tag([*identity, *_indexed(dataset, _JUDGED_IN_VERSION_1, MINIMUM_RULES), *tags])
        )
    found = [*identity, *_indexed(dataset, SEARCHABLE, {}), *tags]
    if not _well_formed(dataset):
        found += _malformed(dataset)
    return Findings(
        errors=_first_per_tag(finding for finding in found if _is_fatal(finding, dataset)),
        warnings=tuple(finding for finding in found if not _is_fatal(finding, dataset)),
    )


def cleaned(dataset: DataSet, findings: Findings) -> DataSet:
    """The data set without the elements that the warnings are about; the very same one if there are none.

    The given data set stays as it is; what it shares with the result is not to be changed.
    """
    paths = [finding.path.split("/") for finding in findings.warnings if finding.path is not None]
    return _without(dataset, paths) if paths else dataset


def multi_valued(dataset: DataSet, extended: Sequence[Attribute] = ()) -> tuple[str, ...]:
    """The tags of indexed attributes of value multiplicity 1 that hold several values: a search sees the first only."""
    several = [
        path[-8:]
        for attribute in (*SEARCHABLE, *extended)
        for path, element in _elements_at(dataset, attribute)
        if len(element.get("Value", ())) > 1 and _is_single_valued(path[-8:])
    ]
    return tuple(dict.fromkeys(several))


def _identity(dataset: DataSet) -> Iterator[Finding]:
    """What keeps the instance from having one identity and one patient."""
    for tag in REQUIRED:
        values = dataset.get(tag, {}).get("Value")
        if not values or values[0] in (None, ""):
            yield Finding(None, tag, _comment(tag, f"The required tag '{_parenthesised(tag)}' is missing."))
        elif len(values) > 1 and tag != PATIENT_ID:
            yield _finding(tag, dataset[tag], "Value contains multiple values.")


def _indexed(dataset: DataSet, attributes: Iterable[Attribute], rules: Mapping[str, Rule]) -> Iterator[Finding]:
    """Those of the attributes that have another VR than a search expects, or break the rule of theirs."""
    for attribute in attributes:
        for path, element in _elements_at(dataset, attribute):
            if element["vr"] != attribute.vr:
                yield _finding(path, element, unexpected_vr(attribute.vr))
            elif rule := _broken_rule(element, rules):
                yield _finding(path, element, rule.complain(element["Value"]))


def _extended(dataset: DataSet, tags: Iterable[Attribute]) -> Iterator[Finding]:
    """The elements whose values can't be indexed for an extended query tag."""
    for tag in tags:
        try:
            value_of(dataset, tag.path, tag.vr, tag.private_creator)
        except InvalidTagValue as error:
            for place, element in _elements_at(dataset, tag):
                yield _finding(place, element, error.message)


def _well_formed(dataset: DataSet) -> bool:
    """Whether no element breaks a rule; looks at all values of one VR at once, a fraction of what _malformed does."""
    level: list[DataSet] = [dataset]
    values_of: defaultdict[str, list[Any]] = defaultdict(list)
    while level:
        for items in level:
            for element in items.values():
                if values := element.get("Value"):
                    values_of[element["vr"]] += values
        level = [item for item in values_of.pop("SQ", ()) if item]
    return all(RULES[vr].accepts(values) for vr, values in values_of.items() if vr in RULES)


def _malformed(dataset: DataSet) -> Iterator[Finding]:
    """Every element that breaks the rule of its VR, outer ones before those inside sequences."""
    level: list[tuple[str, DataSet]] = [("", dataset)]
    while level:
        inner: list[tuple[str, DataSet]] = []
        for prefix, items in level:
            for tag, element in items.items():
                if element["vr"] == "SQ":
                    values = enumerate(element.get("Value", ()))
                    inner += [(f"{prefix}{tag}/{number}/", item) for number, item in values if item]
                elif rule := _broken_rule(element, RULES):
                    yield _finding(prefix + tag, element, rule.complain(element["Value"]))
        level = inner


def _broken_rule(element: _Element, rules: Mapping[str, Rule]) -> Rule | None:
    values, rule = element.get("Value"), rules.get(element["vr"])
    return rule if values and rule and not rule.accepts(values) else None


def _is_fatal(finding: Finding, dataset: DataSet) -> bool:
    if finding.path is None:
        return finding.tag != PATIENT_ID or PATIENT_ID not in dataset
    return finding.path in REQUIRED


def _elements_at(dataset: DataSet, attribute: Attribute) -> list[tuple[str, _Element]]:
    """The elements that an attribute of path ``TAG`` or ``SEQUENCE.MEMBER`` stands for, each with its place."""
    path, creator = attribute.path, attribute.private_creator
    place = path if creator is None else place_of(dataset, path, creator)
    if place in dataset:
        return [(place, dataset[place])]
    sequence, _, member = path.partition(".")
    if not member or sequence not in dataset:
        return []
    items = enumerate(dataset[sequence].get("Value", ()))
    return [(f"{sequence}/{number}/{member}", item[member]) for number, item in items if item and member in item]


def _without(dataset: DataSet, paths: Iterable[Sequence[str]]) -> DataSet:
    """A copy without the elements at the paths, each ``[tag]`` or ``[tag, item, *path in that item]``."""
    dropped: set[str] = set()
    inside: defaultdict[str, defaultdict[int, list[Sequence[str]]]] = defaultdict(lambda: defaultdict(list))
    for tag, *rest in paths:
        if rest:
            inside[tag][int(rest[0])].append(rest[1:])
        else:
            dropped.add(tag)
    kept = {tag: element for tag, element in dataset.items() if tag not in dropped}
    for tag in inside.keys() - dropped:
        values = list(dataset[tag]["Value"])
        for number, item_paths in inside[tag].items():
            values[number] = _without(values[number], item_paths)
        kept[tag] = {**dataset[tag], "Value": values}
    return kept


def _is_single_valued(tag: str) -> bool:
    return is_single_valued(int(tag, 16))


def _first_per_tag(found: Iterable[Finding]) -> tuple[str, ...]:
    first: dict[str, str] = {}
    for finding in found:
        first.setdefault(finding.tag, finding.comment)
    return tuple(first.values())


def _finding(path: str, element: _Element, message: str) -> Finding:
    tag = path[-8:]
    name = keyword_for_tag(int(tag, 16)) or _parenthesised(tag)
    return Finding(
        path, tag, _comment(tag, f"Dicom element '{name}' failed validation for VR '{element['vr']}': {message}")
    )


def _comment(tag: str, message: str) -> str:
    return f"DICOM100: {_parenthesised(tag)} - {message}"


def _parenthesised(tag: str) -> str:
    return f"({tag[:4]},{tag[4:]})".lower()
