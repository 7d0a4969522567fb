"""What kind of event a call of each function is, in the codes of DICOM (PS3.15 A.5.3, PS3.16 CID 400) and FHIR.

Subtypes are the names that the audit of Microsoft's DICOM server gave to the same.
"""

from collections.abc import Iterable
from dataclasses import dataclass

DCM = "http://dicom.nema.org/resources/ontology/DCM"
AUDIT_EVENT_TYPE = "http://terminology.hl7.org/CodeSystem/audit-event-type"


@dataclass(frozen=True, slots=True)
class Code:
    """A coded term."""

    system: str
    code: str
    display: str


ACCESSED = Code(DCM, "110103", "DICOM Instances Accessed")
TRANSFERRED = Code(DCM, "110104", "DICOM Instances Transferred")
STUDY_DELETED = Code(DCM, "110105", "DICOM Study Deleted")
QUERY = Code(DCM, "110112", "Query")
REST = Code(AUDIT_EVENT_TYPE, "rest", "RESTful Operation")

APPLICATION = Code(DCM, "110150", "Application")
DESTINATION = Code(DCM, "110152", "Destination Role ID")
SOURCE = Code(DCM, "110153", "Source Role ID")


@dataclass(frozen=True, slots=True)
class Event:
    """A kind of event. ``action`` is C, R, U, D or E (create, read, update, delete, execute).

    ``caller`` and ``service`` are the parts that the two play (PS3.15 A.5.3.7, A.5.3.10).
    """

    type: Code
    subtype: str
    action: str
    caller: Code = APPLICATION
    service: Code = APPLICATION


def _transfers(levels: Iterable[str], subtype: str, type_: Code = TRANSFERRED) -> dict[str, Event]:
    return {name: Event(type_, subtype, "R", DESTINATION, SOURCE) for name in levels}


def _stores(names: Iterable[str], action: str) -> dict[str, Event]:
    return {name: Event(TRANSFERRED, "store", action, SOURCE, DESTINATION) for name in names}


def _queries(names: Iterable[str], subtype: str) -> dict[str, Event]:
    return {name: Event(QUERY, subtype, "E", SOURCE, DESTINATION) for name in names}


EVENTS: dict[str, Event] = {
    **_stores(("store", "store_in_study"), "C"),
    **_stores(("replace", "replace_in_study"), "U"),
    **_transfers(("retrieve_study", "retrieve_series", "retrieve_instance", "retrieve_frames"), "retrieve"),
    **_transfers(
        (
            "retrieve_bulkdata",
            "study_bulkdata",
            "series_bulkdata",
            "instance_bulkdata",
            "study_pixeldata",
            "series_pixeldata",
            "instance_pixeldata",
        ),
        "retrieve-bulkdata",
    ),
    **_transfers(("study_metadata", "series_metadata", "instance_metadata"), "retrieve-metadata", ACCESSED),
    **_queries(
        (
            "search_studies",
            "search_series",
            "search_series_of_study",
            "search_instances",
            "search_instances_of_study",
            "search_instances_of_series",
        ),
        "query",
    ),
    **_queries(("change_feed", "change_feed_latest"), "change-feed"),
    "delete_study": Event(STUDY_DELETED, "delete", "D"),
    "delete_series": Event(ACCESSED, "delete", "D"),
    "delete_instance": Event(ACCESSED, "delete", "D"),
    "offer_upload": Event(REST, "upload", "E"),
    "receive_upload": Event(REST, "upload", "C"),
    "partitions": Event(REST, "partition", "R"),
    "get_operation": Event(REST, "operation", "R"),
    "list_operations": Event(REST, "operation", "R"),
    "cancel_operation": Event(REST, "operation", "D"),
    "add_extended_query_tags": Event(REST, "add-extended-query-tag", "C"),
    "extended_query_tags": Event(REST, "get-all-extended-query-tags", "R"),
    "extended_query_tag": Event(REST, "get-extended-query-tag", "R"),
    "extended_query_tag_errors": Event(REST, "get-extended-query-tag-errors", "R"),
    "change_extended_query_tag": Event(REST, "update-extended-query-tag", "U"),
    "delete_extended_query_tag": Event(REST, "remove-extended-query-tag", "D"),
}
"""By the function's name, without ``_in_partition``."""

_ACTIONS = {"GET": "R", "HEAD": "R", "PUT": "U", "PATCH": "U", "DELETE": "D"}


def event_of(function: str, method: str) -> Event:
    """What a call of a function is; a plain RESTful operation where the table has no more to say."""
    return EVENTS.get(function) or Event(REST, function.replace("_", "-"), _ACTIONS.get(method, "E"))
