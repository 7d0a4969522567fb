"""What schemathesis is told beside its settings: how bodies of DICOM's media types are made of what it thinks up."""

from typing import Any

import schemathesis
from schemathesis import Case, HookContext
from schemathesis.transport import SerializationContext
from schemathesis.transport.serialization import serialize_binary

DICOM = "application/dicom"
RELATED = "multipart/related"
BOUNDARY = "a-boundary"
PARTS = (DICOM, "application/dicom+json", "application/json", "application/dicom+xml")


def part_type(case: Case) -> str:
    """One of those that a part may have: schemathesis knows no parameters of media types."""
    return PARTS[len(serialize_binary(case.body)) % len(PARTS)]


@schemathesis.serializer(DICOM)
def bare(ctx: SerializationContext, value: Any) -> bytes:
    return serialize_binary(value)


@schemathesis.serializer(RELATED)
def wrapped(ctx: SerializationContext, value: Any) -> bytes:
    head = f"--{BOUNDARY}\r\nContent-Type: {part_type(ctx.case)}\r\n\r\n".encode()
    return head + serialize_binary(value) + f"\r\n--{BOUNDARY}--\r\n".encode()


@schemathesis.hook
def before_call(context: HookContext, case: Case, kwargs: dict[str, Any]) -> None:
    if case.media_type is not None and case.media_type.startswith(RELATED):
        case.headers["Content-Type"] = f'{RELATED}; type="{part_type(case)}"; boundary={BOUNDARY}'
