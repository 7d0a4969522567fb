"""Every error the service raises on purpose, each with the status and title its answer carries.

ServiceError
├── BadRequest                   400
│   ├── InvalidIdentifier        400
│   └── MalformedMultipart       400
├── Unauthorized                 401
├── Forbidden                    403
├── NotFound                     404
├── MethodNotAllowed             405
├── NotAcceptable                406
├── RequestTimeout               408
├── Conflict                     409
├── PayloadTooLarge              413
├── UrlTooLong                   414
├── UnsupportedMediaType         415
├── RangeNotSatisfiable          416
├── TooManyRequests              429
├── HeadersTooLarge              431
├── ServiceUnavailable           503
├── StorageError                 503
│   ├── BlobExists               409
│   └── BlobMissing              500
└── InvalidInstance              409
    ├── NotPart10                409
    ├── TruncatedInstance        409
    └── HostileInstance          409

``detail`` is one plain sentence for the caller. It never holds a value of a data set: UIDs and tags
are the most it may name.
"""

from typing import ClassVar


class ServiceError(Exception):
    """The root. ``status`` is the HTTP status of the answer, ``title`` its short name."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = headers or {}


class BadRequest(ServiceError):
    """The request's path, query, header or body breaks a rule that the caller can mend."""

    status = 400
    title = "Bad request"


class InvalidIdentifier(BadRequest):
    """A UID or partition name in the path or query is not well formed (PS3.5 9.1)."""

    title = "Invalid identifier"


class MalformedMultipart(BadRequest):
    """The framing of a multipart/related body is broken (RFC 2046, RFC 2387)."""

    title = "Malformed multipart body"


class Unauthorized(ServiceError):
    """The request bears no token, or one that is not taken; ``WWW-Authenticate`` says what is (RFC 6750 3)."""

    status = 401
    title = "Unauthorized"


class Forbidden(ServiceError):
    """The caller is known, but may not do this."""

    status = 403
    title = "Forbidden"


class NotFound(ServiceError):
    """Nothing is stored under that path, or the frame or bulk data does not exist."""

    status = 404
    title = "Not found"


class MethodNotAllowed(ServiceError):
    """The route exists, but not with this method."""

    status = 405
    title = "Method not allowed"


class NotAcceptable(ServiceError):
    """No media type or transfer syntax that the caller accepts can be given."""

    status = 406
    title = "Not acceptable"


class RequestTimeout(ServiceError):
    """Nothing came of the request's body for too long (RFC 9110 15.5.9)."""

    status = 408
    title = "Request timeout"


class Conflict(ServiceError):
    """The request contradicts what is stored."""

    status = 409
    title = "Conflict"


class PayloadTooLarge(ServiceError):
    """The body, or one part of it, is over the limit."""

    status = 413
    title = "Payload too large"


class UrlTooLong(ServiceError):
    """Path and query are over the limit (RFC 9110 15.5.15)."""

    status = 414
    title = "URL too long"


class UnsupportedMediaType(ServiceError):
    """The body's media type is none that this resource takes."""

    status = 415
    title = "Unsupported media type"


class RangeNotSatisfiable(ServiceError):
    """No requested byte range lies within the representation (RFC 9110 15.5.17)."""

    status = 416
    title = "Range not satisfiable"


class TooManyRequests(ServiceError):
    """As many requests as this process takes are under way (RFC 6585 4)."""

    status = 429
    title = "Too many requests"


class HeadersTooLarge(ServiceError):
    """The headers of the request are over the limit (RFC 6585 5)."""

    status = 431
    title = "Request headers too large"


class ServiceUnavailable(ServiceError):
    """The service is starting, stopping or overloaded; the request may be sent again."""

    status = 503
    title = "Service unavailable"


class StorageError(ServiceError):
    """The blob store or the index failed; nothing was acknowledged."""

    status = 503
    title = "Storage unavailable"


class BlobExists(StorageError):
    """A create-only put met a blob of that name."""

    status = 409
    title = "Blob exists"


class BlobMissing(StorageError):
    """The index names a blob that the store does not hold."""

    status = 500
    title = "Stored data missing"


class InvalidInstance(ServiceError):
    """An instance can't be stored as sent; the store answer lists it as failed (PS3.18 10.5.3)."""

    status = 409
    title = "Invalid instance"


class NotPart10(InvalidInstance):
    """The bytes are not a DICOM Part 10 file (PS3.10 7.1)."""

    title = "Not a DICOM file"


class TruncatedInstance(InvalidInstance):
    """The data set ends in the middle of an element."""

    title = "Truncated instance"


class HostileInstance(InvalidInstance):
    """A length, nesting depth, element count or inflated size is beyond any real instance."""

    title = "Instance beyond limits"
