"""The answer to a request that failed: problem details, or their sentence as plain text (RFC 9457)."""

import orjson

from shared.dicomweb.accept import Resource, negotiate
from shared.errors import NotAcceptable, ServiceError

UNEXPECTED = ServiceError("The service met an unexpected error. It has been logged.")


def problem(error: Exception, accept: str | None) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer to an error.

    ``application/problem+json`` unless ``accept``, the Accept header, prefers ``text/plain``. The cause of
    a status 500 is never disclosed: unforeseen errors and those all get the same words.
    """
    known = error if isinstance(error, ServiceError) and error.status != 500 else UNEXPECTED
    if _prefers_text(accept):
        content_type, body = "text/plain; charset=utf-8", known.detail.encode()
    else:
        content_type = "application/problem+json"
        body = orjson.dumps(
            {"type": "about:blank", "title": known.title, "status": known.status, "detail": known.detail}
        )
    return known.status, {**known.headers, "Content-Type": content_type}, body


def _prefers_text(accept: str | None) -> bool:
    try:
        return negotiate(Resource.PROBLEM, accept).media_type == "text/plain"
    except NotAcceptable:
        return False
