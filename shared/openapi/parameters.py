"""The parameters of requests: in paths by name, in query strings and headers by what takes them."""

from shared.dicom.attributes import LEVEL_UID, SEARCHABLE
from shared.dicom.model import Level
from shared.dicomweb import feed_query, list_query, query
from shared.openapi.model import Json, Parameter
from shared.openapi.schemas import (
    COMPLETED,
    FLAG,
    GUID,
    MOMENT,
    PARTITION,
    TAG,
    TEXT,
    UID,
    array,
    one_of,
    text,
    whole,
)
from shared.services.operations import WORKS
from shared.storage.index.operations import OperationStatus

GREATEST = 10**18 - 1
"""Whole numbers of a search have at most 18 digits."""
NAMES = array(TEXT)


def _path(name: str, schema: Json, description: str) -> Parameter:
    return Parameter(name, schema, description, "path", key=f"path.{name}")


PATH = {
    parameter.name: parameter
    for parameter in (
        _path("partition", text(PARTITION, 64), "Name of a data partition."),
        _path("study", text(UID, 64), "Study Instance UID."),
        _path("series", text(UID, 64), "Series Instance UID."),
        _path("instance", text(UID, 64), "SOP Instance UID."),
        _path(
            "frames",
            text("^[1-9][0-9]{0,8}(,[1-9][0-9]{0,8})*$", 8000),
            "Numbers of frames from 1, with commas between, in the order wanted.",
        ),
        _path(
            "reference",
            text("^[0-9A-Fa-f]{8}(/[0-9]{1,9}/[0-9A-Fa-f]{8})*$", 2000),
            "Tag of the value, or its path TAG/ITEM/TAG with items counted from 0.",
        ),
        _path("tag", text(TAG, 64), "Tag, 8 hexadecimal digits, or keyword of an attribute."),
        _path("operation", text(GUID, 36), "Id of the operation."),
        _path("upload", text(r"^[0-9a-f]{32}(\.[a-z0-9]{1,8})?$", 41), "What the answer to POST /uploads named."),
    )
}

ACCEPT = Parameter("accept", TEXT, "Media types as in the Accept header, which it overrides.")
CONDITIONAL = Parameter("If-None-Match", TEXT, "Entity tags; 304 if one of them is that of the answer.", "header")
RANGES = (
    Parameter("Range", TEXT, "Byte ranges, such as bytes=0-1023.", "header"),
    Parameter("If-Range", TEXT, "Entity tag that the answer must have for Range to hold.", "header"),
)

LIST = (
    Parameter(
        "limit",
        whole(1, list_query.MAX_LIMIT, list_query.DEFAULT_LIMIT),
        "Most members of the answer.",
        key="list.limit",
    ),
    Parameter("offset", whole(0, list_query.LARGEST, 0), "How many members to pass over."),
)

OPERATIONS = (
    *LIST,
    Parameter("status", one_of(*OperationStatus, COMPLETED), "Only operations that stand so.", key="operations.status"),
    Parameter("type", one_of(*WORKS), "Only operations of this type.", key="operations.type"),
)

FEED_FILTERS = (
    Parameter("includeMetadata", FLAG | {"default": True}, "Whether current entries come with their metadata."),
    Parameter("partition", text(PARTITION, 64), "Only entries of this data partition.", key="feed.partition"),
    Parameter("study", text(UID, 64), "Only entries of this study.", key="feed.study"),
    Parameter(
        "action",
        array(one_of(*(word.lower() for word in feed_query.ACTIONS.values()))) | {"minItems": 1},
        "Only entries with one of these actions.",
        listed=True,
        key="feed.action",
    ),
)

FEED = (
    *(
        Parameter("limit", whole(1, most, default), "Most entries of the answer.", version=version, key="feed.limit")
        for version, (default, most) in feed_query.LIMITS.items()
    ),
    Parameter(
        "offset", whole(0, list_query.LARGEST, 0), "Only entries with numbers above it.", version=1, key="feed.offset"
    ),
    Parameter(
        "offset", whole(0, list_query.LARGEST, 0), "How many entries to pass over.", version=2, key="feed.offset"
    ),
    Parameter("startTime", MOMENT, "Only entries from then on.", version=2, key="feed.startTime"),
    Parameter("endTime", MOMENT, "Only entries before then.", version=2, key="feed.endTime"),
    *FEED_FILTERS,
    Parameter(
        "wait",
        {"type": "number", "minimum": 0, "maximum": feed_query.MAX_WAIT, "default": 0},
        "Seconds to wait for an entry while there is none.",
        key="feed.wait",
    ),
)

_SEARCH = (
    Parameter(
        "limit",
        whole(1, GREATEST, query.DEFAULT_LIMIT),
        f"Most matches of the answer, lowered to {query.MAX_LIMIT}.",
        key="search.limit",
    ),
    Parameter("offset", whole(0, GREATEST, 0), "How many matches to pass over.", key="search.offset"),
    Parameter("fuzzymatching", FLAG | {"default": False}, "Whether beginnings of words of names match."),
    Parameter("includefield", NAMES, "Attributes to answer, too, by keyword or tag, or all.", listed=True),
    Parameter(
        "orderby", NAMES, "Attributes to sort by; descending with a leading - or with :desc behind.", listed=True
    ),
    Parameter("emptyvaluematching", FLAG | {"default": False}, "Not supported; true adds a warning."),
    Parameter("multiplevaluematching", FLAG | {"default": False}, "Lists of values are taken in any case."),
    ACCEPT,
)


def search(level: Level, *named: Level) -> tuple[Parameter, ...]:
    """What a search for a level takes; the path names the UIDs of the levels ``named``."""
    in_path = {LEVEL_UID[each] for each in named}
    attributes = (
        Parameter(
            attribute.keyword,
            TEXT,
            f"Value to match; VR {attribute.vr}, tag {attribute.path}.",
            key=f"attribute.{attribute.keyword}",
        )
        for attribute in SEARCHABLE
        if attribute.level <= level and attribute.path not in in_path
    )
    return (*_SEARCH, *attributes)
