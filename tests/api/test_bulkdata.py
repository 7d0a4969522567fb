"""Bulk data: single values by their URI, and all that a study, series or instance has (PS3.18 10.4.1.1.5)."""

from dataclasses import dataclass

import httpx
import pytest

from tests.api.client import OCTET_PARTS, OCTETS, Api, parts
from tests.api.files import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG,
    by_hand,
    encapsulated,
    native,
    without_pixels,
)
from tests.dicom.building import explicit, item, sequence
from tests.instances import Identity, new_identity, new_uid

PIXELS = bytes(range(256)) * 2
DOCUMENT = b"a document " * 200
ICON = b"an icon " * 200
JPEGS = [b"\xff\xd8 one \xff\xd9\0", b"\xff\xd8 two \xff\xd9\0"]
LEVELS = ["study", "series", "instance"]

every_level = pytest.mark.parametrize("level", LEVELS)


@dataclass(frozen=True, slots=True)
class Shelf:
    """One series of an uncompressed image, a compressed one, and a document with an icon inside a sequence."""

    api: Api
    image: Identity
    compressed: Identity
    document: Identity

    def path(self, level: str, identity: Identity) -> str:
        study = f"/studies/{identity.study}"
        return {"study": study, "series": f"{study}/series/{identity.series}", "instance": identity.path}[level]

    def values(self, identity: Identity) -> list[tuple[str, str, bytes]]:
        """The label, URI and content of each part."""
        uri = f"{self.api.base}{identity.path}/bulkdata"
        return {
            self.image: [(OCTETS, f"{uri}/7FE00010", PIXELS)],
            self.compressed: [(f"image/jpeg; transfer-syntax={JPEG}", f"{uri}/7FE00010", frame) for frame in JPEGS],
            self.document: [(OCTETS, f"{uri}/00420011", DOCUMENT), (OCTETS, f"{uri}/00880200/0/7FE00010", ICON)],
        }[identity]


@pytest.fixture(scope="module")
def stored(shelf: Api) -> Shelf:
    study, series = new_uid(), new_uid()
    image, compressed, document = (new_identity(study, series) for _ in range(3))
    icon = sequence(0x00880200, item(explicit(0x7FE00010, "OB", ICON)))
    shelf.keep(
        native(image, PIXELS),
        encapsulated(compressed, JPEGS),
        by_hand(document, explicit(0x00420011, "OB", DOCUMENT) + icon),
    )
    return Shelf(shelf, image, compressed, document)


def described(answer: httpx.Response) -> list[tuple[str, str, bytes]]:
    assert answer.status_code == 200, answer.text
    return [(part.content_type, part.headers["Content-Location"], part.content) for part in parts(answer)]


@every_level
@pytest.mark.parametrize("accept", [None, "*/*", OCTET_PARTS, f"{OCTET_PARTS}; transfer-syntax=*", "multipart/related"])
def test_all_bulk_data(stored: Shelf, level: str, accept: str | None) -> None:
    below = [stored.image, stored.compressed, stored.document] if level != "instance" else [stored.document]
    answer = stored.api.get(f"{stored.path(level, below[-1])}/bulkdata", accept)
    assert answer.headers["content-type"].startswith("multipart/related; type=")
    assert described(answer) == [value for identity in below for value in stored.values(identity)]


@every_level
def test_all_pixel_data(stored: Shelf, level: str) -> None:
    """Only that of the images themselves, not of an icon inside."""
    below = [stored.image, stored.compressed] if level != "instance" else [stored.compressed]
    answer = stored.api.get(f"{stored.path(level, below[-1])}/pixeldata")
    assert described(answer) == [value for identity in below for value in stored.values(identity)]


@every_level
@pytest.mark.parametrize("resource", ["bulkdata", "pixeldata"])
@pytest.mark.parametrize("accept", [OCTETS, "image/png", "application/dicom"])
def test_several_values_have_no_single_part(stored: Shelf, level: str, resource: str, accept: str) -> None:
    answer = stored.api.get(f"{stored.path(level, stored.image)}/{resource}", accept)
    assert answer.status_code == 406


@every_level
@pytest.mark.parametrize("resource", ["bulkdata", "pixeldata", "bulkdata/7FE00010"])
@pytest.mark.parametrize("there", [True, False])
def test_nothing_there_is_404(api: Api, level: str, resource: str, there: bool) -> None:
    if "/" in resource and level != "instance":
        level = "instance"
    identity = new_identity()
    if there:
        api.keep(without_pixels(identity))
    study = f"/studies/{identity.study}"
    path = {"study": study, "series": f"{study}/series/{identity.series}", "instance": identity.path}[level]
    assert api.get(f"{path}/{resource}").status_code == 404


@pytest.mark.parametrize("reference", ["00420011", "00880200/0/7FE00010"])
@pytest.mark.parametrize("accept", [None, "*/*", OCTET_PARTS, 'multipart/related; type="*/*"'])
def test_one_value_as_multipart(stored: Shelf, reference: str, accept: str | None) -> None:
    answer = stored.api.get(f"{stored.document.path}/bulkdata/{reference}", accept)
    assert answer.headers["content-type"].startswith(f"{OCTET_PARTS}; boundary=")
    (part,) = parts(answer)
    assert part.content_type == OCTETS
    assert part.content == (DOCUMENT if reference == "00420011" else ICON)


@pytest.mark.parametrize("reference", ["00420011", "00880200/0/7FE00010", "00880200/0/7fe00010", "00420011/"])
@pytest.mark.parametrize("accept", [OCTETS, f"image/png, {OCTETS};q=0.1", "application/*"])
def test_one_value_as_a_single_part(stored: Shelf, reference: str, accept: str) -> None:
    answer = stored.api.get(f"{stored.document.path}/bulkdata/{reference}", accept)
    assert answer.headers["content-type"] == OCTETS
    assert answer.content == (DOCUMENT if reference.startswith("00420011") else ICON)
    assert answer.headers["content-length"] == str(len(answer.content))


@pytest.mark.parametrize(
    "reference",
    ["00420012", "00080018", "0042", "nonsense", "00880200", "00880200/0", "00880200/1/7FE00010", "..%2F..%2Fetc"],
)
def test_a_value_that_is_not_there_is_404(stored: Shelf, reference: str) -> None:
    answer = stored.api.get(f"{stored.document.path}/bulkdata/{reference}")
    assert answer.status_code == 404
    assert "cannot be found" in answer.json()["detail"]


@pytest.mark.parametrize("accept", ["image/jpeg", "application/dicom", "application/dicom+json", f"{OCTET_PARTS};q=0"])
def test_a_value_is_bytes_only(stored: Shelf, accept: str) -> None:
    assert stored.api.get(f"{stored.document.path}/bulkdata/00420011", accept).status_code == 406


@pytest.mark.parametrize(
    "accept", [None, "*/*", 'multipart/related; type="image/jpeg"', f"{OCTET_PARTS}; transfer-syntax=*"]
)
def test_compressed_pixel_data_are_frames(stored: Shelf, accept: str | None) -> None:
    answer = stored.api.get(f"{stored.compressed.path}/bulkdata/7FE00010", accept)
    assert answer.status_code == 200
    assert [part.content for part in parts(answer)] == JPEGS
    assert {part.content_type for part in parts(answer)} == {f"image/jpeg; transfer-syntax={JPEG}"}


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED])
def test_values_are_little_endian_whatever_they_are_stored_in(api: Api, syntax: str) -> None:
    identity = new_identity()
    api.keep(native(identity, PIXELS, transfer_syntax=syntax))
    assert api.get(f"{identity.path}/bulkdata/7FE00010", OCTETS).content == PIXELS
    ((_, _, content),) = described(api.get(f"{identity.path}/pixeldata"))
    assert content == PIXELS


@every_level
@pytest.mark.parametrize("resource", ["bulkdata", "pixeldata"])
def test_head(stored: Shelf, level: str, resource: str) -> None:
    answer = stored.api.head(f"{stored.path(level, stored.image)}/{resource}")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("multipart/related; type=")
