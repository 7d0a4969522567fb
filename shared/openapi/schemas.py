"""The JSON that goes in and out, as JSON Schemas by name (OAS 3.0.3, 4.7.24)."""

from collections.abc import Sequence

from shared.dicom.query_tags import SUPPORTED_VRS
from shared.dicomweb.tag_request import LEVELS, QUERY_STATUSES
from shared.openapi.model import Json
from shared.storage.index.feed import Action, State
from shared.storage.index.operations import OperationStatus
from shared.storage.index.tags import QueryStatus, TagStatus

UID = r"^[0-9.]*[0-9]$"
PARTITION = r"^[A-Za-z0-9._-]*[A-Za-z0-9_-][A-Za-z0-9._-]*$"
"""A partition name, here with one character at least that is no dot."""
TAG = r"^([0-9A-Fa-f]{8}|[A-Za-z][A-Za-z0-9]*)$"
GUID = r"^([0-9A-Fa-f]{32}|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})$"

COMPLETED = "completed"
"""What v1 calls an operation that succeeded."""

BINARY: Json = {"type": "string", "format": "binary"}
TEXT: Json = {"type": "string"}
FLAG: Json = {"type": "boolean"}
MOMENT: Json = {"type": "string", "format": "date-time"}
URL: Json = {"type": "string", "format": "uri"}


def ref(name: str) -> Json:
    """The schema of that name."""
    return {"$ref": f"#/components/schemas/{name}"}


def array(items: Json) -> Json:
    """A list of such things."""
    return {"type": "array", "items": items}


def one_of(*words: str) -> Json:
    """One of some words."""
    return {"type": "string", "enum": [str(word) for word in words]}


def text(pattern: str, longest: int) -> Json:
    """A text of a pattern, not empty."""
    return {"type": "string", "pattern": pattern, "minLength": 1, "maxLength": longest}


def whole(least: int, most: int, default: int | None = None) -> Json:
    """A whole number, both bounds included."""
    number: Json = {"type": "integer", "format": "int64", "minimum": least, "maximum": most}
    return number if default is None else number | {"default": default}


def _object(required: Sequence[str] = (), **properties: Json) -> Json:
    shown: Json = {"type": "object", "properties": properties}
    return shown | {"required": list(required)} if required else shown


_LEVEL = one_of("study", "series", "instance")
_OPERATION = {"id": TEXT, "href": URL}
_KEY = {"studyInstanceUid": TEXT, "seriesInstanceUid": TEXT, "sopInstanceUid": TEXT, "partitionName": TEXT}

SCHEMAS: dict[str, Json] = {
    "Problem": _object(
        ("type", "title", "status", "detail"), type=TEXT, title=TEXT, status=whole(400, 599), detail=TEXT
    ),
    "DataSet": {
        "type": "object",
        "description": "DICOM JSON (PS3.18 Annex F): attributes by their tags, 8 upper-case hexadecimal digits.",
        "additionalProperties": ref("Attribute"),
    },
    "Attribute": _object(
        ("vr",),
        vr={"type": "string", "pattern": "^[A-Z]{2}$"},
        Value={"type": "array", "items": {"nullable": True}},
        InlineBinary={"type": "string", "format": "byte"},
        BulkDataURI=URL,
    ),
    "DataSets": array(ref("DataSet")),
    "ChangeFeedEntry": _object(
        ("sequence", *_KEY, "action", "timestamp", "state"),
        sequence=whole(1, 2**63 - 1),
        **_KEY,
        action=one_of(*Action),
        timestamp=MOMENT,
        state=one_of(*State),
        metadata=ref("DataSet"),
    ),
    "NewExtendedQueryTag": _object(
        ("path", "level"),
        path=text(TAG, 64),
        vr=one_of(*SUPPORTED_VRS.split()) | {"description": "Needed for private attributes."},
        privateCreator={"type": "string", "description": "Needed for private attributes."},
        level=one_of(*LEVELS),
    )
    | {"example": {"path": "00102180", "level": "Study"}},
    "QueryStatusChange": _object(("queryStatus",), queryStatus=one_of(*QUERY_STATUSES)),
    "ExtendedQueryTag": _object(
        ("path", "vr", "level", "status", "queryStatus"),
        path=TEXT,
        vr=TEXT,
        privateCreator=TEXT,
        level=_LEVEL,
        status=one_of(*TagStatus),
        queryStatus=one_of(*QueryStatus),
        errors=_object(("count", "href"), count=whole(1, 2**63 - 1), href=URL),
        operation=_object(tuple(_OPERATION), **_OPERATION),
    ),
    "ExtendedQueryTagError": _object(
        (*_KEY, "createdTime", "errorMessage"), **_KEY, createdTime=MOMENT, errorMessage=TEXT
    ),
    "OperationReference": _object(tuple(_OPERATION), **_OPERATION),
    "Operation": _object(
        ("operationId", "type", "createdTime", "lastUpdatedTime", "status"),
        operationId=TEXT,
        type=TEXT,
        createdTime=MOMENT,
        lastUpdatedTime=MOMENT,
        status=one_of(*OperationStatus, COMPLETED),
        percentComplete=whole(0, 100),
        resources=array(URL),
        errors=array(TEXT),
    ),
    "Partition": _object(
        ("partitionKey", "partitionName", "createdDate"),
        partitionKey=whole(1, 2**63 - 1),
        partitionName=TEXT,
        createdDate=MOMENT,
    ),
    "NewUpload": _object(fileName={"type": "string", "description": "Only its extension is kept."}),
    "Upload": _object(
        ("url", "method", "headers", "expires", "name"),
        url=URL,
        method=one_of("PUT"),
        headers={"type": "object", "additionalProperties": TEXT},
        expires=MOMENT,
        name=TEXT,
    ),
    "OpenApi": _object(("openapi", "info", "paths"), openapi=TEXT, info={"type": "object"}, paths={"type": "object"}),
}
