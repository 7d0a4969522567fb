import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dicomweb.accept import MAX_RANGES, REPRESENTATIONS, Resource, Selected, content_type, negotiate
from shared.dicomweb.media_types import FRAME_SYNTAXES
from shared.errors import NotAcceptable

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
JPEG_LS = "1.2.840.10008.1.2.4.80"
JPEG_2000_LOSSLESS = "1.2.840.10008.1.2.4.90"
JPEG_2000 = "1.2.840.10008.1.2.4.91"
MPEG_4 = "1.2.840.10008.1.2.4.102"
RLE = "1.2.840.10008.1.2.5"
PRIVATE = "1.2.840.113619.5.2"

PARTS = 'multipart/related; type="application/dicom"'
OCTETS = 'multipart/related; type="application/octet-stream"'
OHIF = "multipart/related; type=application/octet-stream; transfer-syntax=*"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"

JSON = Selected("application/dicom+json", multipart=False, transfer_syntax=None)
XML = Selected("application/dicom+xml", multipart=False, transfer_syntax=None)
XML_PARTS = Selected("application/dicom+xml", multipart=True, transfer_syntax=None)
ZIP = Selected("application/zip", multipart=False, transfer_syntax=None)

JSON_MODEL_REQUESTS = [
    (None, JSON),
    ("", JSON),
    ("  ", JSON),
    (";;;", JSON),
    ("application/dicom+json", JSON),
    ("application/dicom json", JSON),  # the query parameter's + decoded to a space
    ("APPLICATION/DICOM+JSON", JSON),
    ("application/dicom+json; charset=utf-8", JSON),
    ("application/json", JSON),
    ("application/*", JSON),
    ("*/*", JSON),
    (BROWSER, JSON),
    ("application/dicom+json, application/json", JSON),
    ("application/dicom+json, multipart/related; type=application/octet-stream", JSON),
    ("multipart/related; type=application/octet-stream; transfer-syntax=*, application/dicom+json", JSON),
    ("image/png, application/json;q=0.1", JSON),
    ("application/dicom+json, , application/dicom", JSON),
    ("application/dicom+xml;q=0.5, application/dicom+json", JSON),
    ("application/dicom+json;q=nonsense", JSON),
    ("*/*, application/dicom+xml;q=0", JSON),
    ("application/dicom", None),
    ("application/dicom+json+x", None),
    ("image/jpeg", None),
    ("image/*", None),
    ("text/html", None),
    ("application/dicom+json;q=0", None),
    ("*/*;q=0", None),
]


@pytest.mark.parametrize("resource", [Resource.STORE, Resource.SEARCH, Resource.METADATA])
@pytest.mark.parametrize(("accept", "selected"), JSON_MODEL_REQUESTS)
def test_json_is_given_to_all_who_take_it(resource: Resource, accept: str | None, selected: Selected | None) -> None:
    if selected is None:
        with pytest.raises(NotAcceptable):
            negotiate(resource, accept)
    else:
        assert negotiate(resource, accept) == selected


def test_json_is_labelled_for_clients_that_compare_labels() -> None:
    # The Python client takes an answer with a charset parameter for an empty data set.
    assert negotiate(Resource.SEARCH, "application/json").media_type == "application/dicom+json"


@pytest.mark.parametrize(
    ("resource", "accept", "selected"),
    [
        (Resource.STORE, "application/dicom+xml", XML),
        (Resource.STORE, "application/dicom+xml, application/dicom+json;q=0.9", XML),
        (Resource.STORE, "application/dicom+xml, application/dicom+json", XML),
        (Resource.SEARCH, "application/dicom+xml", XML_PARTS),
        (Resource.SEARCH, 'multipart/related; type="application/dicom+xml"', XML_PARTS),
        (Resource.METADATA, "multipart/related;type=application/dicom+xml", XML_PARTS),
        (Resource.METADATA, "multipart/related", XML_PARTS),
        (Resource.METADATA, "application/dicom+json;q=0, */*", XML_PARTS),
        (Resource.METADATA, "application/dicom+json;q=0.1, */*;q=0.9", XML_PARTS),
    ],
)
def test_xml_is_given_when_asked_for(resource: Resource, accept: str, selected: Selected) -> None:
    assert negotiate(resource, accept) == selected


AS_STORED = Selected("application/dicom", multipart=True, transfer_syntax=None)
SINGLE = Selected("application/dicom", multipart=False, transfer_syntax=None)


@pytest.mark.parametrize("resource", [Resource.STUDY, Resource.SERIES, Resource.INSTANCE])
@pytest.mark.parametrize(
    ("accept", "selected"),
    [
        (None, AS_STORED),
        ("*/*", AS_STORED),
        (BROWSER, AS_STORED),
        (PARTS, AS_STORED),
        (f"{PARTS}; transfer-syntax=*", AS_STORED),
        (f'{PARTS}; transfer-syntax="*"', AS_STORED),
        ("multipart/related; type=application/dicom; transfer-syntax=*", AS_STORED),
        ("multipart/related; type=application/dicom; transfer-syntax=*; transfer-syntax=*", AS_STORED),
        ("multipart/*", AS_STORED),
        (f"{PARTS}; transfer-syntax={EXPLICIT};q=0, */*", AS_STORED),
        ("multipart/related", AS_STORED),
        ('multipart/related; type="*/*"', AS_STORED),
        ('multipart/related; type="application/*"', AS_STORED),
        (f"{PARTS}; transfer-syntax={EXPLICIT}, {PARTS}; transfer-syntax=*", AS_STORED),
        (f"{PARTS}; transfer-syntax={EXPLICIT}, */*;q=0.1", AS_STORED),
        ("application/zip", ZIP),
        ("application/zip, */*;q=0.1", ZIP),
        (f"application/zip;q=0.2, {PARTS};q=0.1", ZIP),
        (OCTETS, None),
        ("application/octet-stream", None),
        (f"{PARTS}; transfer-syntax={EXPLICIT}", None),
        (f"{PARTS}; transfer-syntax=1.2.840.10008.1.2.4.100", None),
        ("multipart/form-data; type=application/dicom", None),
        ("multipart/related; type=dicom", AS_STORED),  # no media range is left, so the default
        ("application/dicom+json", None),
        ("image/jpeg", None),
    ],
)
def test_instances_are_given_as_stored(resource: Resource, accept: str | None, selected: Selected | None) -> None:
    if selected is None:
        with pytest.raises(NotAcceptable):
            negotiate(resource, accept, JPEG_2000, JPEG_LS)
    else:
        assert negotiate(resource, accept, JPEG_2000, JPEG_LS) == selected


@pytest.mark.parametrize(
    ("accept", "selected"),
    [
        ("application/dicom", SINGLE),
        ("application/dicom; transfer-syntax=*", SINGLE),
        ("application/*", SINGLE),
        (f"application/dicom, {PARTS}; transfer-syntax=*", AS_STORED),
        (f"application/dicom;q=0.9, {PARTS};q=0.8", SINGLE),
    ],
)
def test_one_instance_may_be_given_bare(accept: str, selected: Selected) -> None:
    assert negotiate(Resource.INSTANCE, accept, JPEG_2000) == selected


@pytest.mark.parametrize("resource", [Resource.STUDY, Resource.SERIES])
@pytest.mark.parametrize("accept", ["application/dicom", "application/dicom; transfer-syntax=*"])
def test_several_instances_are_not_given_bare(resource: Resource, accept: str) -> None:
    with pytest.raises(NotAcceptable, match='available as multipart/related; type="application/dicom" or'):
        negotiate(resource, accept, JPEG_2000)


def test_the_stored_transfer_syntax_may_be_asked_for_by_name() -> None:
    accept = f"{PARTS}; transfer-syntax={JPEG_2000}"
    assert negotiate(Resource.STUDY, accept, JPEG_2000, JPEG_2000).transfer_syntax == JPEG_2000
    with pytest.raises(NotAcceptable):
        negotiate(Resource.STUDY, accept, JPEG_2000, JPEG_LS)


@pytest.mark.parametrize(
    ("accept", "transfer_syntax"),
    [
        (f"{PARTS}; transfer-syntax={EXPLICIT}", EXPLICIT),
        (f"{PARTS}; transfer-syntax={EXPLICIT}, {PARTS}; transfer-syntax=*", None),
        (f"{PARTS}; transfer-syntax={EXPLICIT}, {PARTS}; transfer-syntax=*;q=0.5", EXPLICIT),
        (f"{PARTS}; transfer-syntax={EXPLICIT};q=0.5, {PARTS}; transfer-syntax={JPEG_LS}", JPEG_LS),
        (f"{PARTS}; transfer-syntax={EXPLICIT}, {PARTS}; transfer-syntax={JPEG_LS}", EXPLICIT),
        (f"{PARTS}; transfer-syntax=", None),
        (PARTS, None),
    ],
)
def test_the_transfer_syntax_is_passed_on_where_the_stored_are_not_known(
    accept: str, transfer_syntax: str | None
) -> None:
    assert negotiate(Resource.STUDY, accept).transfer_syntax == transfer_syntax


def test_an_instance_is_labelled_with_its_stored_syntax() -> None:
    assert content_type(AS_STORED, IMPLICIT) == "application/dicom; transfer-syntax=1.2.840.10008.1.2"
    asked = Selected("application/dicom", multipart=True, transfer_syntax=JPEG_LS)
    assert content_type(asked, JPEG_LS) == "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.80"
    with pytest.raises(NotAcceptable, match="RLE Lossless"):
        content_type(asked, RLE)


def frames(media_type: str, transfer_syntax: str | None = None, *, multipart: bool = True) -> Selected:
    return Selected(media_type, multipart, transfer_syntax)


NATIVE = "application/octet-stream"
FRAME_REQUESTS = [
    # accept, stored, selected
    (None, EXPLICIT, frames(NATIVE)),
    (None, JPEG_LS, frames("image/jls")),
    ("*/*", JPEG_LS, frames("image/jls")),
    (BROWSER, JPEG_LS, frames("image/jls")),
    ('multipart/related; type="*/*"', RLE, frames("image/dicom-rle")),
    ('multipart/related; type="image/*"', RLE, frames("image/dicom-rle")),
    ("multipart/related", PRIVATE, frames(NATIVE)),
    (OHIF, EXPLICIT, frames(NATIVE)),
    (OHIF, JPEG_LS, frames("image/jls")),
    (OHIF, BIG_ENDIAN, frames(NATIVE)),
    (OHIF, PRIVATE, frames(NATIVE)),
    (OHIF, MPEG_4, frames("video/mp4")),
    (OCTETS, EXPLICIT, frames(NATIVE, EXPLICIT)),
    (OCTETS, IMPLICIT, frames(NATIVE, EXPLICIT)),
    (OCTETS, DEFLATED, frames(NATIVE, EXPLICIT)),
    (OCTETS, BIG_ENDIAN, None),
    (OCTETS, JPEG_LS, None),
    (f"{OCTETS}; transfer-syntax={EXPLICIT}", IMPLICIT, frames(NATIVE, EXPLICIT)),
    (f"{OCTETS}; transfer-syntax={EXPLICIT}", JPEG_LS, None),
    (f"{OCTETS}; transfer-syntax={IMPLICIT}", EXPLICIT, frames(NATIVE, EXPLICIT)),
    (f"{OCTETS}; transfer-syntax={JPEG_LS}", JPEG_LS, frames("image/jls", JPEG_LS)),
    (f"{OCTETS}, */*;q=0.1", JPEG_LS, frames("image/jls")),
    ('multipart/related; type="application/*"', JPEG_LS, None),
    ('multipart/related; type="image/jp2"', JPEG_2000_LOSSLESS, frames("image/jp2")),
    ('multipart/related; type="image/jp2"', JPEG_2000, frames("image/jp2")),
    (
        f'multipart/related; type="image/jp2"; transfer-syntax={JPEG_2000_LOSSLESS}',
        JPEG_2000_LOSSLESS,
        frames("image/jp2", JPEG_2000_LOSSLESS),
    ),
    (f'multipart/related; type="image/jp2"; transfer-syntax={JPEG_2000_LOSSLESS}', JPEG_2000, None),
    ('multipart/related; type="image/jp2"', EXPLICIT, None),
    ('multipart/related; type="image/jp2"; transfer-syntax=*', JPEG_LS, None),
    ("multipart/related; type=image/jpeg; transfer-syntax=*", JPEG_LOSSLESS, frames("image/jpeg")),
    ('multipart/related; type="image/x-jls"', JPEG_LS, frames("image/jls")),
    ('multipart/related; type="image/x-dicom-rle"', RLE, frames("image/dicom-rle")),
    (
        'multipart/related; type="image/jpeg", multipart/related; type="image/jls", multipart/related; type=image/jp2',
        JPEG_2000,
        frames("image/jp2"),
    ),
    (
        'multipart/related; type="application/octet-stream", multipart/related; type="image/jpeg"',
        JPEG_BASELINE,
        frames("image/jpeg"),
    ),
    (PARTS, EXPLICIT, None),
    ("application/dicom+json", EXPLICIT, None),
]


@pytest.mark.parametrize("resource", [Resource.FRAME, Resource.FRAMES])
@pytest.mark.parametrize(("accept", "stored", "selected"), FRAME_REQUESTS)
def test_frames_are_given_as_stored(
    resource: Resource, accept: str | None, stored: str, selected: Selected | None
) -> None:
    if selected is None:
        with pytest.raises(NotAcceptable):
            negotiate(resource, accept, stored)
    else:
        assert negotiate(resource, accept, stored) == selected


def test_what_is_refused_by_name_is_not_given_by_a_wildcard() -> None:
    accept = 'multipart/related; type="image/jls";q=0, */*'
    assert negotiate(Resource.FRAME, accept, JPEG_LS) == frames("image/jls", multipart=False)
    with pytest.raises(NotAcceptable):
        negotiate(Resource.FRAMES, accept, JPEG_LS)


@pytest.mark.parametrize(
    ("accept", "stored", "selected"),
    [
        ("application/octet-stream", EXPLICIT, frames(NATIVE, EXPLICIT, multipart=False)),
        ("application/octet-stream; transfer-syntax=*", EXPLICIT, frames(NATIVE, multipart=False)),
        ("application/octet-stream; transfer-syntax=*", JPEG_LS, frames("image/jls", multipart=False)),
        ("application/*", IMPLICIT, frames(NATIVE, multipart=False)),
        ("image/jpeg", JPEG_BASELINE, frames("image/jpeg", multipart=False)),
        ("image/*", JPEG_BASELINE, frames("image/jpeg", multipart=False)),
        ("image/webp,image/apng,image/*,*/*;q=0.8", JPEG_BASELINE, frames("image/jpeg", multipart=False)),
        ("video/mp4", MPEG_4, frames("video/mp4", multipart=False)),
        ("image/jpeg", JPEG_LS, None),
        ("application/octet-stream", JPEG_LS, None),
    ],
)
def test_one_frame_may_be_given_bare_but_several_not(accept: str, stored: str, selected: Selected | None) -> None:
    if selected is None:
        with pytest.raises(NotAcceptable):
            negotiate(Resource.FRAME, accept, stored)
    else:
        assert negotiate(Resource.FRAME, accept, stored) == selected
    if "*/*" not in accept:
        with pytest.raises(NotAcceptable, match="available as multipart/related"):
            negotiate(Resource.FRAMES, accept, stored)


@pytest.mark.parametrize("stored", [uid for syntaxes in FRAME_SYNTAXES.values() for uid in syntaxes])
def test_viewers_get_the_stored_frame_of_every_transfer_syntax(stored: str) -> None:
    selected = negotiate(Resource.FRAME, OHIF, stored)
    media_type = next(name for name, syntaxes in FRAME_SYNTAXES.items() if stored in syntaxes)
    label = content_type(selected, stored)
    assert label.startswith(f"{media_type}; transfer-syntax=1.2.840.10008.1.2.")
    by_name = negotiate(Resource.FRAME, f'multipart/related; type="{media_type}"; transfer-syntax={stored}', stored)
    assert content_type(by_name, stored) == label


def test_uncompressed_frames_are_labelled_explicit_little_endian() -> None:
    label = "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
    assert content_type(negotiate(Resource.FRAME, OHIF, IMPLICIT), IMPLICIT) == label
    assert content_type(negotiate(Resource.FRAME, OCTETS, DEFLATED), DEFLATED) == label


@pytest.mark.parametrize(
    ("accept", "multipart"),
    [
        (None, True),
        ("*/*", True),
        ('multipart/related; type="*/*"', True),
        (OCTETS, True),
        (OHIF, True),
        ('multipart/related; type="image/jpeg", multipart/related; type="application/octet-stream"', True),
        ("application/octet-stream", False),
        ("application/octet-stream; transfer-syntax=*", False),
        ("application/*", False),
    ],
)
def test_bulk_data_is_packed_as_it_is_asked_for(accept: str | None, multipart: bool) -> None:
    selected = negotiate(Resource.BULKDATA, accept)
    assert (selected.media_type, selected.multipart) == ("application/octet-stream", multipart)


@pytest.mark.parametrize("accept", ["image/jpeg", PARTS, "application/dicom+json"])
def test_bulk_data_is_given_as_bytes_only(accept: str) -> None:
    with pytest.raises(NotAcceptable, match='multipart/related; type="application/octet-stream" or application/octet'):
        negotiate(Resource.BULKDATA, accept)


def advice(resource: Resource, accept: str, *stored: str) -> str:
    with pytest.raises(NotAcceptable) as caught:
        negotiate(resource, accept, *stored)
    return caught.value.detail


@pytest.mark.parametrize(
    ("resource", "accept", "stored"),
    [
        (Resource.STUDY, f"{PARTS}; transfer-syntax={EXPLICIT}", (JPEG_LS, RLE)),
        (Resource.INSTANCE, f"application/dicom; transfer-syntax={EXPLICIT}", (IMPLICIT,)),
        (Resource.FRAME, OCTETS, (JPEG_LS,)),
        (Resource.FRAME, OCTETS, (BIG_ENDIAN,)),
        (Resource.FRAMES, 'multipart/related; type="image/jp2"', (JPEG_LS,)),
        (Resource.FRAMES, 'multipart/related; type="image/jp2"', (PRIVATE,)),
    ],
)
def test_a_refusal_names_the_stored_syntax_and_an_accept_that_works(
    resource: Resource, accept: str, stored: tuple[str, ...]
) -> None:
    detail = advice(resource, accept, *stored)
    assert all(f"{syntax}" in detail for syntax in stored)
    advised = detail.partition("Ask for ")[2].partition(" to get it")[0]
    assert advised.endswith("; transfer-syntax=*")
    assert negotiate(resource, advised, *stored).transfer_syntax is None


def test_a_refusal_lists_what_can_be_given() -> None:
    detail = advice(Resource.FRAME, "text/html", JPEG_LS)
    assert detail.endswith('available as multipart/related; type="image/jls" or image/jls.')


@pytest.mark.parametrize("resource", Resource)
def test_the_first_representation_is_the_default(resource: Resource) -> None:
    stored = (EXPLICIT,) if resource in (Resource.FRAME, Resource.FRAMES) else ()
    default = REPRESENTATIONS[resource][0]
    selected = negotiate(resource, None, *stored)
    assert selected == Selected(default.media_type, default.multipart, None)
    assert negotiate(resource, "*/*", *stored) == selected
    assert negotiate(resource, str(default), *stored).media_type == default.media_type


def test_only_so_many_members_of_a_header_count() -> None:
    filler = ", ".join(["text/html"] * (MAX_RANGES - 1))
    assert negotiate(Resource.SEARCH, f"{filler}, application/json") == JSON
    with pytest.raises(NotAcceptable):
        negotiate(Resource.SEARCH, f"{filler}, text/html, application/json")


@pytest.mark.parametrize("member", ['multipart/related; type="image/jp2"', "*/*;q=0.5", "a/b;x", '"', "q=1;;;"])
def test_long_headers_are_cheap(member: str) -> None:
    began = time.process_time()
    for resource in (Resource.FRAME, Resource.STUDY):
        with contextlib.suppress(NotAcceptable):
            negotiate(resource, ",".join([member] * 5000), JPEG_LS)
    assert time.process_time() - began < 1


@given(
    st.lists(
        st.sampled_from(
            [
                "multipart/related",
                "*/*",
                "image/*",
                "application/dicom",
                ";",
                ",",
                '"',
                " type=",
                "image/jls",
                "q=0",
                "q=1e9",
                "q=nan",
                "transfer-syntax=*",
                "transfer-syntax=",
                EXPLICIT,
                JPEG_LS,
            ]
        ),
        max_size=30,
    ).map("".join),
    st.sampled_from(Resource),
)
def test_any_header_gives_a_listed_representation_or_a_refusal(accept: str, resource: Resource) -> None:
    with contextlib.suppress(NotAcceptable):
        selected = negotiate(resource, accept, JPEG_LS)
        assert (selected.media_type, selected.multipart) in [
            (form.media_type, form.multipart) for form in REPRESENTATIONS[resource]
        ]
