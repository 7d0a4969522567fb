import pytest

from shared.dicomweb.accept import Resource, Selected, content_type, negotiate
from shared.dicomweb.media_types import FRAME_SYNTAXES
from shared.errors import NotAcceptable
from tests.dicomweb.samples import (
    BIG_ENDIAN,
    BROWSER,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG_2000,
    JPEG_2000_LOSSLESS,
    JPEG_BASELINE,
    JPEG_LOSSLESS,
    JPEG_LS,
    MPEG_4,
    OCTETS,
    OHIF,
    PARTS,
    PRIVATE,
    RLE,
)


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
    (OCTETS, BIG_ENDIAN, frames(NATIVE, EXPLICIT)),
    (f"{OCTETS}; transfer-syntax={BIG_ENDIAN}", BIG_ENDIAN, frames(NATIVE, EXPLICIT)),
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
    assert content_type(negotiate(Resource.FRAME, OCTETS, BIG_ENDIAN), BIG_ENDIAN) == label


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
