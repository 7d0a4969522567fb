import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dicomweb.accept import MAX_RANGES, REPRESENTATIONS, Resource, Selected, content_type, negotiate
from shared.errors import NotAcceptable
from tests.dicomweb.samples import (
    BROWSER,
    EXPLICIT,
    IMPLICIT,
    JPEG_2000,
    JPEG_LS,
    OCTETS,
    PARTS,
    PRIVATE,
    RLE,
)

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
