"""What answers hold: media types of resources, headers, and the errors that any function may answer."""

from shared.dicomweb.accept import REPRESENTATIONS, Resource
from shared.dicomweb.media_types import DICOM_JSON, JSON
from shared.openapi.model import Answer, Content, Json
from shared.openapi.schemas import BINARY, TEXT, URL, ref, whole

BYTERANGES = "multipart/byteranges"
PROBLEM: Content = {"application/problem+json": ref("Problem"), "text/plain": TEXT}

HEADERS: dict[str, Json] = {
    "Allow": {"description": "The methods that the path takes.", "schema": TEXT},
    "Content-Disposition": {"description": "A file name for the answer, if it is a ZIP file.", "schema": TEXT},
    "Content-Range": {"description": "Which bytes of the resource these are.", "schema": TEXT},
    "ETag": {"description": "The version of the answer.", "schema": TEXT},
    "Location": {"description": "Where the operation can be asked for.", "schema": URL},
    "Retry-After": {"description": "Seconds after which to try again.", "schema": whole(0, 2**31 - 1)},
    "Warning": {"description": "299 and what was not done as asked.", "schema": TEXT},
    "WWW-Authenticate": {"description": "Which tokens are taken.", "schema": TEXT},
    "X-Request-Id": {"description": "The id of the request in logs and audit.", "schema": TEXT},
    "X-Total-Count": {"description": "How many match altogether.", "schema": whole(0, 2**63 - 1)},
    "api-supported-versions": {"description": "The versions of the API.", "schema": TEXT},
    "erroneous-dicom-attributes": {
        "description": "Attributes that some instances could not be indexed by.",
        "schema": TEXT,
    },
}
EVERYWHERE = ("X-Request-Id", "api-supported-versions")
"""Headers of every answer."""

ERRORS: dict[int, Answer] = {
    400: Answer("The path, query string, headers or body break a rule, or the data partition does not exist.", PROBLEM),
    401: Answer("The request bears no token, or one that is not taken.", PROBLEM, ("WWW-Authenticate",)),
    403: Answer("The caller's roles do not allow this.", PROBLEM, ("WWW-Authenticate",)),
    404: Answer("There is nothing there.", PROBLEM),
    406: Answer("No media type or transfer syntax that the request accepts can be given.", PROBLEM),
    408: Answer("Nothing came of the body for too long.", PROBLEM),
    409: Answer("The request contradicts what is there.", PROBLEM),
    413: Answer("The body is too large, or the search too broad.", PROBLEM),
    414: Answer("Path and query are too long.", PROBLEM),
    415: Answer("The body's media type or coding is not taken.", PROBLEM),
    416: Answer("No range lies within the resource.", PROBLEM, ("Content-Range",)),
    429: Answer("As many requests as the service takes are under way.", PROBLEM, ("Retry-After",)),
    431: Answer("The headers are too large.", PROBLEM),
    500: Answer("An unforeseen error; its cause is logged.", PROBLEM),
    503: Answer("The storage or the issuer of tokens can't be reached.", PROBLEM, ("Retry-After",)),
}
ANYWHERE = (400, 414, 431, 500, 503)
"""Errors of every function."""
GUARDED = (401, 403, 429)
"""Errors of those that not everyone may call."""
READING = (408,)
"""Errors of those that take a body."""


def forms(resource: Resource, json: str = "DataSets") -> Content:
    """The media types of a resource, the default first; ``json`` is the schema of what it holds as JSON."""
    return {str(form): ref(json) if form.media_type == DICOM_JSON else BINARY for form in REPRESENTATIONS[resource]}


def as_json(schema: Json) -> Content:
    """A JSON document of the service's own."""
    return {JSON: schema}
