"""The query string of a request to the change feed, read into plain values once.

===============  ==========================  ==========================================================
Parameter        Default                     Value
===============  ==========================  ==========================================================
offset           0                           v1: the number that the entries come after; v2: how many
                                             entries to pass over
limit            v1: 10, v2: 100             1 to 100 in v1, 1 to 200 in v2
startTime        the beginning               v2 only: date and time with a zone, inclusive
endTime          the end                     v2 only: the same, exclusive; after startTime
includeMetadata  true                        ``true`` or ``false``
partition        any                         the name of a data partition
study            any                         a Study Instance UID
action           any                         of ``create``, ``update`` and ``delete``, comma-separated
wait             0                           seconds to wait for a first entry, 0 to 60
===============  ==========================  ==========================================================

The latest entry takes includeMetadata, partition, study and action. Names and words may be in any letter case. Of a
parameter that is repeated the first one counts, and unknown ones are passed over, as the Microsoft DICOM service does.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from shared.dicom.identifiers import PARTITION_NAME_RULE, is_partition_name, is_uid, trim_uid
from shared.dicomweb.list_query import paging, parameters
from shared.dicomweb.moments import parse_moment
from shared.dicomweb.refusals import invalid_parameter

LIMITS = {1: (10, 100), 2: (100, 200)}
"""Default and greatest limit by API version."""
MAX_WAIT = 60
ACTIONS = {action.lower(): action for action in ("Create", "Update", "Delete")}

_Parameters = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FeedRequest:
    """What a request asks of the change feed.

    Entries with numbers above ``after``, times from ``start`` to before ``end`` (microseconds since the epoch, UTC),
    of ``partition`` and ``study`` and with one of ``actions``, where None stands for any; of these, ``limit`` after
    the first ``skip``. ``wait`` is in seconds.
    """

    after: int = 0
    skip: int = 0
    limit: int = 1
    start: int | None = None
    end: int | None = None
    with_metadata: bool = True
    partition: str | None = None
    study: str | None = None
    actions: tuple[str, ...] | None = None
    wait: float = 0.0


def parse_feed_query(raw: str, api_version: int) -> FeedRequest:
    """Read the query string, as it was sent, of a request for entries. Raises BadRequest for a value that is none."""
    given = parameters(raw)
    page = paging(given, *LIMITS[api_version])
    start, end = (_moment(given, "StartTime"), _moment(given, "EndTime")) if api_version > 1 else (None, None)
    if start is not None and end is not None and end <= start:
        raise invalid_parameter("EndTime", "The field EndTime must be after StartTime.")
    return FeedRequest(
        after=page.offset if api_version == 1 else 0,
        skip=0 if api_version == 1 else page.offset,
        limit=page.limit,
        start=start,
        end=end,
        with_metadata=_with_metadata(given),
        partition=_partition(given),
        study=_study(given),
        actions=_actions(given),
        wait=_wait(given),
    )


def parse_latest_query(raw: str) -> FeedRequest:
    """Read the query string, as it was sent, of a request for the latest entry. Raises BadRequest."""
    given = parameters(raw)
    return FeedRequest(
        with_metadata=_with_metadata(given),
        partition=_partition(given),
        study=_study(given),
        actions=_actions(given),
    )


def _moment(given: _Parameters, name: str) -> int | None:
    """An empty one counts as none."""
    value = given.get(name.lower())
    if not value:
        return None
    moment = parse_moment(value)
    if moment is None:
        raise invalid_parameter(
            name,
            f"The field {name} must be a date and time with Z or an offset from UTC, such as 2024-02-29T13:00:00Z.",
        )
    return moment


def _with_metadata(given: _Parameters) -> bool:
    value = given.get("includemetadata", "true").lower()
    if value not in ("true", "false"):
        raise invalid_parameter("IncludeMetadata", "The field IncludeMetadata must be true or false.")
    return value == "true"


def _partition(given: _Parameters) -> str | None:
    value = given.get("partition")
    if value is not None and not is_partition_name(value):
        raise invalid_parameter("Partition", PARTITION_NAME_RULE)
    return value


def _study(given: _Parameters) -> str | None:
    value = given.get("study")
    if value is None:
        return None
    if not is_uid(value):
        raise invalid_parameter("Study", "A UID takes 1 to 64 digits and dots and ends in a digit.")
    return trim_uid(value)


def _actions(given: _Parameters) -> tuple[str, ...] | None:
    value = given.get("action")
    if value is None:
        return None
    named = {word.strip().lower() for word in value.split(",")}
    if not named <= ACTIONS.keys():
        raise invalid_parameter("Action", "The field Action takes create, update and delete, with commas between.")
    return tuple(action for word, action in ACTIONS.items() if word in named)


def _wait(given: _Parameters) -> float:
    value = given.get("wait", "0")
    if not re.fullmatch(r"[0-9]{1,2}(\.[0-9]{1,9})?", value) or float(value) > MAX_WAIT:
        raise invalid_parameter("Wait", f"The field Wait must be between 0 and {MAX_WAIT}, in seconds.")
    return float(value)
