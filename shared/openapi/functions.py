"""What each function does, takes and answers: one row for each, by its name."""

from shared.dicom.model import Level
from shared.dicomweb import media_types
from shared.dicomweb.accept import Resource
from shared.dicomweb.media_types import DICOM, DICOM_JSON, DICOM_XML
from shared.openapi.answers import BYTERANGES, as_json, forms
from shared.openapi.model import Answer, Content, Described
from shared.openapi.parameters import ACCEPT, CONDITIONAL, FEED, FEED_FILTERS, LIST, OPERATIONS, RANGES, search
from shared.openapi.schemas import BINARY, array, ref
from shared.openapi.writing import JSON, YAML

STUDY, SERIES, INSTANCE = Level.STUDY, Level.SERIES, Level.INSTANCE

NOTHING = Answer("Nothing matches.")
UNCHANGED = Answer("What the client has is what there is.", headers=("ETag",))
DONE = Answer("Done.")
FILES: Content = {
    DICOM: BINARY,
    **{
        f'multipart/related; type="{media_type}"': BINARY
        for media_type in (DICOM, DICOM_JSON, media_types.JSON, DICOM_XML)
    },
}


def _search(summary: str, level: Level, *named: Level) -> Described:
    found = Answer("The matches.", forms(Resource.SEARCH), ("X-Total-Count", "Warning", "erroneous-dicom-attributes"))
    none = Answer("Nothing matches.", headers=found.headers)
    return Described("Query", summary, {200: found, 204: none}, (406, 413), search(level, *named))


def _store(summary: str) -> Described:
    content = forms(Resource.STORE, "DataSet")
    answers = {
        200: Answer("Everything was stored.", content, ("Warning",)),
        202: Answer("Some was refused or, in v2, stored with a warning.", content, ("Warning",)),
        204: Answer("The request held no instance."),
        409: Answer("Nothing was stored, and this is why.", content),
    }
    return Described("Store", summary, answers, (406, 413, 415), (ACCEPT,), FILES)


def _several(summary: str, resource: Resource) -> Described:
    content = forms(resource)
    if resource is Resource.BULKDATA:
        content = {form: schema for form, schema in content.items() if form.startswith("multipart/")}
    found = Answer("All of it.", content, ("Content-Disposition",))
    return Described("Retrieve", summary, {200: found}, (404, 406), (ACCEPT,))


def _one(summary: str, *resources: Resource) -> Described:
    content = {form: schema for resource in resources for form, schema in forms(resource).items()}
    answers = {
        200: Answer("The whole.", content, ("ETag", "Content-Disposition")),
        206: Answer("The ranges asked for.", {**content, BYTERANGES: BINARY}, ("ETag", "Content-Range")),
        304: UNCHANGED,
    }
    return Described("Retrieve", summary, answers, (404, 406, 416), (ACCEPT, CONDITIONAL, *RANGES))


def _metadata(summary: str) -> Described:
    answers = {200: Answer("The data sets.", forms(Resource.METADATA), ("ETag",)), 304: UNCHANGED}
    return Described("Retrieve", summary, answers, (404, 406), (ACCEPT, CONDITIONAL))


def _delete(summary: str) -> Described:
    return Described("Delete", summary, {204: DONE}, (404,))


def _openapi(media_type: str) -> Described:
    answers = {200: Answer("The document.", {media_type: ref("OpenApi")}, ("ETag",)), 304: UNCHANGED}
    return Described("OpenApi", "This document.", answers, (404,), (CONDITIONAL,))


_STORE = _store("Store instances; those that exist are refused.")
_REPLACE = _store("Store instances; those that exist are replaced.")
_TAG = as_json(ref("ExtendedQueryTag"))
_STARTED = Answer("The operation that was started.", as_json(ref("OperationReference")), ("Location",))

FUNCTIONS: dict[str, Described] = {
    "store": _STORE,
    "store_in_study": _STORE,
    "replace": _REPLACE,
    "replace_in_study": _REPLACE,
    "search_studies": _search("Search for studies.", STUDY),
    "search_series": _search("Search for series.", SERIES),
    "search_instances": _search("Search for instances.", INSTANCE),
    "search_series_of_study": _search("Search for series of a study.", SERIES, STUDY),
    "search_instances_of_study": _search("Search for instances of a study.", INSTANCE, STUDY),
    "search_instances_of_series": _search("Search for instances of a series.", INSTANCE, STUDY, SERIES),
    "retrieve_study": _several("All instances of a study.", Resource.STUDY),
    "retrieve_series": _several("All instances of a series.", Resource.SERIES),
    "retrieve_instance": _one("An instance.", Resource.INSTANCE),
    "study_metadata": _metadata("Metadata of all instances of a study."),
    "series_metadata": _metadata("Metadata of all instances of a series."),
    "instance_metadata": _metadata("Metadata of an instance."),
    "retrieve_frames": _one("Frames of an instance.", Resource.FRAME),
    "retrieve_bulkdata": _one("A bulk data value of an instance.", Resource.BULKDATA, Resource.FRAMES),
    "study_bulkdata": _several("All bulk data of a study.", Resource.BULKDATA),
    "series_bulkdata": _several("All bulk data of a series.", Resource.BULKDATA),
    "instance_bulkdata": _several("All bulk data of an instance.", Resource.BULKDATA),
    "study_pixeldata": _several("All pixel data of a study.", Resource.BULKDATA),
    "series_pixeldata": _several("All pixel data of a series.", Resource.BULKDATA),
    "instance_pixeldata": _several("All pixel data of an instance.", Resource.BULKDATA),
    "delete_study": _delete("Delete a study."),
    "delete_series": _delete("Delete a series."),
    "delete_instance": _delete("Delete an instance."),
    "change_feed": Described(
        "ChangeFeed",
        "What happened to instances, in order.",
        {200: Answer("Entries.", as_json(array(ref("ChangeFeedEntry"))))},
        (404,),
        FEED,
    ),
    "change_feed_latest": Described(
        "ChangeFeed",
        "What happened last.",
        {200: Answer("The newest entry.", as_json(ref("ChangeFeedEntry"))), 204: NOTHING},
        (404,),
        FEED_FILTERS,
    ),
    "add_extended_query_tags": Described(
        "ExtendedQueryTag",
        "Make attributes searchable.",
        {202: _STARTED},
        (404, 409, 413),
        takes=as_json(array(ref("NewExtendedQueryTag")) | {"minItems": 1}),
    ),
    "extended_query_tags": Described(
        "ExtendedQueryTag",
        "The extended query tags.",
        {200: Answer("Extended query tags.", as_json(array(ref("ExtendedQueryTag"))))},
        (404,),
        LIST,
    ),
    "extended_query_tag": Described(
        "ExtendedQueryTag", "An extended query tag.", {200: Answer("The extended query tag.", _TAG)}, (404,)
    ),
    "extended_query_tag_errors": Described(
        "ExtendedQueryTag",
        "Why instances could not be indexed by an extended query tag.",
        {200: Answer("One entry for each instance.", as_json(array(ref("ExtendedQueryTagError"))))},
        (404,),
        LIST,
    ),
    "change_extended_query_tag": Described(
        "ExtendedQueryTag",
        "Let searches use an extended query tag or not.",
        {200: Answer("The tag as it is now.", _TAG)},
        (404, 413),
        takes=as_json(ref("QueryStatusChange")),
    ),
    "delete_extended_query_tag": Described("ExtendedQueryTag", "Remove an extended query tag.", {204: DONE}, (404,)),
    "list_operations": Described(
        "Operations",
        "The operations of the last days, newest first.",
        {200: Answer("Operations.", as_json(array(ref("Operation"))))},
        (404,),
        OPERATIONS,
    ),
    "get_operation": Described(
        "Operations",
        "How an operation stands.",
        {
            200: Answer("It has ended.", as_json(ref("Operation"))),
            202: Answer("It has not ended yet.", as_json(ref("Operation")), ("Location",)),
        },
        (404,),
    ),
    "cancel_operation": Described("Operations", "Cancel an operation.", {204: DONE}, (404, 409)),
    "partitions": Described(
        "Partition",
        "The data partitions.",
        {200: Answer("Data partitions.", as_json(array(ref("Partition"))))},
        (404,),
    ),
    "offer_upload": Described(
        "Import",
        "Ask for a URL to which one file for import can be sent.",
        {201: Answer("Where and how to send it.", as_json(ref("Upload")))},
        (404, 413),
        takes=as_json(ref("NewUpload")),
        must_take=False,
    ),
    "receive_upload": Described(
        "Import",
        "Send the file of an upload.",
        {201: Answer("The file was taken.")},
        (404, 409, 413, 415),
        takes={media_types.OCTET_STREAM: BINARY},
        must_take=False,
    ),
    "openapi_json": _openapi(JSON.media_type),
    "openapi_yaml": _openapi(YAML.media_type),
}
"""A function of a data partition has the row of the one without."""
