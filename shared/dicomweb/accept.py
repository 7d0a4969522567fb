"""Which representation of a resource a request gets: one table and one way to read it (PS3.18 8.7.5 to 8.7.8)."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple

from shared.dicom.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN
from shared.dicomweb.media_types import (
    DICOM,
    DICOM_JSON,
    DICOM_XML,
    FRAME_SYNTAXES,
    JSON,
    OCTET_STREAM,
    OLDER_NAMES,
    ZIP,
    MediaType,
    frame_media_type,
    frame_transfer_syntax,
    parse_media_type,
    split_list,
    transfer_syntax_name,
    with_transfer_syntax,
)
from shared.errors import NotAcceptable

MAX_REMEMBERED = 256
"""Characters of an Accept header up to which its outcome is remembered: clients send the same few."""
MAX_RANGES = 32
"""Members of an Accept header that are looked at; the rest is passed over."""


class Resource(Enum):
    """What is asked for. ``FRAME`` is one frame, ``FRAMES`` are several."""

    STORE = auto()
    SEARCH = auto()
    METADATA = auto()
    STUDY = auto()
    SERIES = auto()
    INSTANCE = auto()
    FRAME = auto()
    FRAMES = auto()
    BULKDATA = auto()
    PROBLEM = auto()


@dataclass(frozen=True, slots=True)
class Representation:
    """One form in which a resource can be given.

    ``media_type`` is that of the payload, or of each part if ``multipart``. ``other_names`` are media types
    that ask for it too, ``asked_singly`` tells that the part's media type alone does. ``default_syntax`` holds
    when a request names the media type but no transfer syntax; None is the stored one. ``is_frame`` tells that
    the payload is frames, labelled as they are stored.
    """

    media_type: str
    multipart: bool = False
    other_names: tuple[str, ...] = ()
    asked_singly: bool = False
    default_syntax: str | None = None
    is_frame: bool = False

    def __str__(self) -> str:
        return f'multipart/related; type="{self.media_type}"' if self.multipart else self.media_type


@dataclass(frozen=True, slots=True)
class Selected:
    """The outcome: the payload's media type, or each part's if ``multipart``, and the transfer syntax asked for.

    ``transfer_syntax`` None is the stored one, whichever that is.
    """

    media_type: str
    multipart: bool
    transfer_syntax: str | None


def _frame(media_type: str, *, multipart: bool) -> Representation:
    older_names = (OLDER_NAMES[media_type],) if media_type in OLDER_NAMES else ()
    default = EXPLICIT_VR_LITTLE_ENDIAN if media_type == OCTET_STREAM else None
    return Representation(media_type, multipart, other_names=older_names, default_syntax=default, is_frame=True)


_JSON_MODEL = Representation(DICOM_JSON, other_names=(JSON,))
_XML_PARTS = Representation(DICOM_XML, multipart=True, asked_singly=True)
_DICOM_PARTS = Representation(DICOM, multipart=True)
_FRAME_PARTS = tuple(_frame(media_type, multipart=True) for media_type in FRAME_SYNTAXES)
_SINGLE_FRAME = tuple(_frame(media_type, multipart=False) for media_type in FRAME_SYNTAXES)

REPRESENTATIONS: dict[Resource, tuple[Representation, ...]] = {
    Resource.STORE: (_JSON_MODEL, Representation(DICOM_XML)),
    Resource.SEARCH: (_JSON_MODEL, _XML_PARTS),
    Resource.METADATA: (_JSON_MODEL, _XML_PARTS),
    Resource.STUDY: (_DICOM_PARTS, Representation(ZIP)),
    Resource.SERIES: (_DICOM_PARTS, Representation(ZIP)),
    Resource.INSTANCE: (_DICOM_PARTS, Representation(DICOM), Representation(ZIP)),
    Resource.FRAME: _FRAME_PARTS + _SINGLE_FRAME,
    Resource.FRAMES: _FRAME_PARTS,
    Resource.BULKDATA: (Representation(OCTET_STREAM, multipart=True), Representation(OCTET_STREAM)),
    Resource.PROBLEM: (Representation("application/problem+json", other_names=(JSON,)), Representation("text/plain")),
}
"""What each resource can be given as, the default first (PS3.18 tables 8.7.3-2 to 8.7.3-5 and 10.4.4-1)."""


class _Range(NamedTuple):
    """One member of an Accept header. ``multipart`` None is either; ``any_syntax`` is ``transfer-syntax=*``."""

    media_type: MediaType
    multipart: bool | None
    syntax: str | None
    any_syntax: bool
    quality: float

    @property
    def specificity(self) -> int:
        wildcards = (self.multipart is None, self.media_type.type == "*", self.media_type.subtype == "*")
        return -sum(wildcards)

    @property
    def is_wildcard(self) -> bool:
        return self.media_type.subtype == "*"

    def covers(self, representation: Representation) -> bool:
        packaging = self.multipart in (None, representation.multipart) or (
            representation.asked_singly and not self.multipart
        )
        names = (representation.media_type, *representation.other_names)
        return packaging and any(_matches(self.media_type, name) for name in names)

    def transfer_syntax(self, representation: Representation) -> str | None:
        """The transfer syntax it asks of a representation; None is the stored one."""
        syntax = self.syntax
        if syntax is None and not self.any_syntax and not self.is_wildcard:
            syntax = representation.default_syntax
        return frame_transfer_syntax(syntax) if syntax and representation.is_frame else syntax


_ANYTHING = _Range(MediaType("*", "*", {}), multipart=None, syntax=None, any_syntax=False, quality=1.0)


def negotiate(resource: Resource, accept: str | None, *stored: str) -> Selected:
    """Choose the representation for a request.

    ``accept`` is the Accept header, or the query parameter in its place; None, or one without any media
    type, asks for the resource's default. ``stored`` are the transfer syntaxes of all that is asked for, as
    far as they are known; for frames it is exactly one.

    The highest q wins; at equal q a member with ``transfer-syntax=*``, then the order of the header, then
    the order of the table. Raises NotAcceptable when nothing accepted can be given. Nothing is transcoded:
    what is asked for in another transfer syntax than stored can't be given.
    """
    if len(accept or "") > MAX_REMEMBERED:
        return _negotiate(resource, accept, stored)
    return _remembered(resource, accept, stored)


def _negotiate(resource: Resource, accept: str | None, stored: tuple[str, ...]) -> Selected:
    representations = REPRESENTATIONS[resource]
    ranges = tuple(_ranges(accept or "")) or (_ANYTHING,)
    choices = [
        (accepted, representation)
        for accepted in ranges
        for representation in representations
        if accepted.quality > 0
        and _can_give(accepted, representation, stored)
        and not _overruled(accepted, representation, ranges, stored)
    ]
    if not choices:
        raise NotAcceptable(_refusal(representations, ranges, stored))
    accepted, representation = max(choices, key=lambda choice: (choice[0].quality, choice[0].any_syntax))
    media_type = frame_media_type(*stored) if representation.is_frame else representation.media_type
    return Selected(media_type, representation.multipart, accepted.transfer_syntax(representation))


_remembered = lru_cache(maxsize=1024)(_negotiate)


def content_type(selected: Selected, stored: str) -> str:
    """The Content-Type, with ``transfer-syntax``, of an instance or frame, or a part with one, that is stored so.

    Raises NotAcceptable when another transfer syntax was selected; that happens only to what ``negotiate``
    was not told of.
    """
    label = stored if selected.media_type == DICOM else frame_transfer_syntax(stored)
    if selected.transfer_syntax not in (None, label):
        raise NotAcceptable(_transcoding_refusal(Representation(selected.media_type, selected.multipart), stored))
    return with_transfer_syntax(selected.media_type, label)


def _ranges(accept: str) -> Iterator[_Range]:
    for member in split_list(accept)[:MAX_RANGES]:
        media_type = parse_media_type(member)
        if media_type is None:
            continue
        multipart: bool | None = None if media_type.essence == "*/*" else False
        params = media_type.params
        if media_type.essence in ("multipart/related", "multipart/*"):
            multipart = True
            media_type = parse_media_type(params.get("type", "*/*"))
            if media_type is None:
                continue
        syntax = params.get("transfer-syntax")
        yield _Range(
            media_type, multipart, None if syntax in ("*", "") else syntax, syntax == "*", quality(params.get("q"))
        )


def quality(text: str | None) -> float:
    """The weight that a ``q`` parameter gives, from 0 to 1; 1 without one or with one that can't be read."""
    try:
        return min(max(float(text or "1"), 0.0), 1.0)
    except ValueError:
        return 1.0


def _matches(wanted: MediaType, name: str) -> bool:
    main, _, sub = name.partition("/")
    return wanted.type in ("*", main) and wanted.subtype in ("*", sub)


def _can_give(accepted: _Range, representation: Representation, stored: tuple[str, ...]) -> bool:
    if not accepted.covers(representation):
        return False
    wanted = accepted.transfer_syntax(representation)
    if not representation.is_frame:
        return wanted is None or all(wanted == syntax for syntax in stored)
    (syntax,) = stored
    own_type = representation.media_type == frame_media_type(syntax)
    named_octets = representation.media_type == OCTET_STREAM and not accepted.is_wildcard
    return (own_type or named_octets) and wanted in (None, frame_transfer_syntax(syntax))


def _overruled(
    accepted: _Range, representation: Representation, ranges: tuple[_Range, ...], stored: tuple[str, ...]
) -> bool:
    """Whether a more specific member speaks for the representation, if only to refuse it (RFC 9110 12.5.1)."""
    return any(
        other.specificity > accepted.specificity and _can_give(other, representation, stored) for other in ranges
    )


def _refusal(representations: tuple[Representation, ...], ranges: tuple[_Range, ...], stored: tuple[str, ...]) -> str:
    available = [form for form in representations if _can_give(_ANYTHING, form, stored)]
    if stored and any(
        accepted.quality > 0 and accepted.covers(form) for accepted in ranges for form in representations
    ):
        return _transcoding_refusal(available[0], *stored)
    forms = " or ".join(str(form) for form in available)
    return f"None of the accepted media types can be given. This resource is available as {forms}."


def _transcoding_refusal(representation: Representation, *stored: str) -> str:
    names = " and ".join(transfer_syntax_name(syntax) for syntax in sorted(set(stored)))
    return (
        f"The stored transfer syntax is {names}, and it can't be converted to what the request accepts. "
        f"Ask for {representation}; transfer-syntax=* to get it as it is stored."
    )
