"""The answer to a store request: its status and its data set (PS3.18 10.5.3, PS3.3 store instances response)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.dicom.model import DataSet
from shared.dicomweb.codes import FailureReason, WarningReason


@dataclass(frozen=True, slots=True)
class Stored:
    """An instance that is safe. ``url`` retrieves it; ``comments`` say what was dropped from its metadata;
    ``multi_valued`` that an indexed attribute has more values than the one that is indexed."""

    sop_class: str
    instance: str
    url: str
    comments: tuple[str, ...] = ()
    multi_valued: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """An instance that was not stored, with its UIDs as far as they could be read."""

    reason: FailureReason
    sop_class: str | None = None
    instance: str | None = None
    comments: tuple[str, ...] = ()


Outcome = Stored | Failed


def status(outcomes: Sequence[Outcome], *, warn: bool) -> int:
    """The HTTP status; ``warn`` tells whether stored with warnings is 202 (API v2) or 200 (v1)."""
    stored = [outcome for outcome in outcomes if isinstance(outcome, Stored)]
    if not outcomes:
        return 204
    if not stored:
        return 409
    warned = warn and any(outcome.comments for outcome in stored)
    return 202 if warned or len(stored) < len(outcomes) else 200


def dataset(outcomes: Sequence[Outcome], study_url: str | None, *, warn: bool) -> DataSet:
    """The response data set. ``study_url`` is given when the request named the study."""
    stored = [_stored(outcome, warn=warn) for outcome in outcomes if isinstance(outcome, Stored)]
    failed = [_failed(outcome) for outcome in outcomes if isinstance(outcome, Failed)]
    answer: DataSet = {}
    if stored and study_url is not None:
        answer["00081190"] = {"vr": "UR", "Value": [study_url]}
    if failed:
        answer["00081198"] = {"vr": "SQ", "Value": failed}
    if stored:
        answer["00081199"] = {"vr": "SQ", "Value": stored}
    return answer


def _stored(outcome: Stored, *, warn: bool) -> DataSet:
    item: DataSet = {
        "00081150": {"vr": "UI", "Value": [outcome.sop_class]},
        "00081155": {"vr": "UI", "Value": [outcome.instance]},
        "00081190": {"vr": "UR", "Value": [outcome.url]},
    }
    if warn:
        if outcome.comments:
            item["00081196"] = {"vr": "US", "Value": [WarningReason.DATA_SET_HAS_VALIDATION_WARNINGS.value]}
        item["00741048"] = _comments(outcome.comments)
    return item


def _failed(outcome: Failed) -> DataSet:
    item: DataSet = {}
    if outcome.sop_class is not None:
        item["00081150"] = {"vr": "UI", "Value": [outcome.sop_class]}
    if outcome.instance is not None:
        item["00081155"] = {"vr": "UI", "Value": [outcome.instance]}
    item["00081197"] = {"vr": "US", "Value": [outcome.reason.value]}
    if outcome.comments:
        item["00741048"] = _comments(outcome.comments)
    return item


def _comments(comments: tuple[str, ...]) -> dict[str, Any]:
    if not comments:
        return {"vr": "SQ"}
    return {"vr": "SQ", "Value": [{"00000902": {"vr": "LO", "Value": [comment]}} for comment in comments]}
