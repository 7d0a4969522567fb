"""WADO-RS: studies, series and instances in every form they can be had in (PS3.18 10.4)."""

import io
import zipfile
from dataclasses import dataclass

import httpx
import pytest

from tests.api.client import DICOM, DICOM_PARTS, OCTETS, Api, parts
from tests.api.files import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, JPEG, RLE, encapsulated, native, without_pixels
from tests.instances import Identity, new_identity, new_uid

ZIP = "application/zip"
JPEG_2000 = "1.2.840.10008.1.2.4.90"
MPEG_2 = "1.2.840.10008.1.2.4.100"
PIXELS = bytes(range(256)) * 2

LEVELS = ["study", "series", "instance"]


@dataclass(frozen=True, slots=True)
class Shelf:
    """A study of two series and three instances, each stored in another transfer syntax."""

    api: Api
    files: dict[Identity, bytes]
    syntaxes: dict[Identity, str]

    @property
    def first(self) -> Identity:
        return next(iter(self.files))

    def path(self, level: str) -> str:
        identity = self.first
        return {
            "study": f"/studies/{identity.study}",
            "series": f"/studies/{identity.study}/series/{identity.series}",
            "instance": identity.path,
        }[level]

    def within(self, level: str) -> list[Identity]:
        return [identity for identity in self.files if f"{identity.path}/".startswith(f"{self.path(level)}/")]


@pytest.fixture(scope="module")
def stored(shelf: Api) -> Shelf:
    study, series = new_uid(), new_uid()
    explicit, rle, big = new_identity(study, series), new_identity(study, series), new_identity(study)
    syntaxes = {explicit: EXPLICIT, rle: RLE, big: BIG_ENDIAN}
    files = {
        explicit: native(explicit, PIXELS),
        rle: encapsulated(rle, [b"not really RLE" * 10], transfer_syntax=RLE),
        big: native(big, PIXELS, transfer_syntax=BIG_ENDIAN),
    }
    shelf.keep(*files.values(), without_pixels(new_identity()))
    return Shelf(shelf, files, syntaxes)


def contents(answer: httpx.Response) -> set[tuple[str, bytes]]:
    assert answer.status_code == 200, answer.text
    return {(part.content_type, part.content) for part in parts(answer)}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    "accept",
    [
        None,
        "*/*",
        f"{DICOM_PARTS}; transfer-syntax=*",
        f"{DICOM_PARTS}; transfer-syntax=*; transfer-syntax=*",
        "multipart/related; type=application/dicom; transfer-syntax=*",
        DICOM_PARTS,
        "multipart/related",
        "multipart/*",
        f"image/jpeg, {DICOM_PARTS}; transfer-syntax=*;q=0.5",
    ],
)
def test_everything_below_the_path_as_it_was_stored(stored: Shelf, level: str, accept: str | None) -> None:
    answer = stored.api.get(stored.path(level), accept)
    assert answer.headers["content-type"].startswith('multipart/related; type="application/dicom"; boundary=')
    assert contents(answer) == {
        (f"{DICOM}; transfer-syntax={stored.syntaxes[identity]}", stored.files[identity])
        for identity in stored.within(level)
    }


@pytest.mark.parametrize("accept", [DICOM, f"{DICOM}; transfer-syntax=*", f"image/jpeg, {DICOM};q=0.1"])
def test_one_instance_as_a_single_part(stored: Shelf, accept: str) -> None:
    for identity, file in stored.files.items():
        answer = stored.api.get(identity.path, accept)
        assert (answer.status_code, answer.content) == (200, file)
        assert answer.headers["content-type"] == f"{DICOM}; transfer-syntax={stored.syntaxes[identity]}"
        assert answer.headers["content-length"] == str(len(file))


@pytest.mark.parametrize("form", [DICOM, DICOM_PARTS])
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED, JPEG, MPEG_2, JPEG_2000])
def test_the_stored_transfer_syntax_can_be_asked_for_by_name(api: Api, form: str, syntax: str) -> None:
    identity = new_identity()
    if syntax in (EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED):
        file = native(identity, PIXELS, transfer_syntax=syntax)
    else:
        file = encapsulated(identity, [b"a frame"], transfer_syntax=syntax)
    api.keep(file)
    for asked in (syntax, "*"):
        answer = api.get(identity.path, f"{form}; transfer-syntax={asked}")
        assert answer.status_code == 200
        content = answer.content if form == DICOM else parts(answer)[0].content
        assert content == file
    other = JPEG_2000 if syntax != JPEG_2000 else EXPLICIT
    refused = api.get(identity.path, f"{form}; transfer-syntax={other}")
    assert refused.status_code == 406
    assert syntax in refused.json()["detail"]
    assert "transfer-syntax=*" in refused.json()["detail"]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    "accept",
    [
        OCTETS,
        "image/jpeg",
        "application/dicom+json",
        "text/html",
        'multipart/related; type="application/octet-stream"',
        f"{DICOM_PARTS}; transfer-syntax={MPEG_2}",
        f"{DICOM_PARTS};q=0",
    ],
)
def test_what_is_not_available_is_406(stored: Shelf, level: str, accept: str) -> None:
    answer = stored.api.get(stored.path(level), accept)
    assert answer.status_code == 406
    assert answer.json()["title"] == "Not acceptable"


@pytest.mark.parametrize("level", ["study", "series"])
def test_several_instances_have_no_single_part(stored: Shelf, level: str) -> None:
    assert stored.api.get(stored.path(level), DICOM).status_code == 406


@pytest.mark.parametrize("level", ["study", "series"])
def test_several_instances_in_a_syntax_that_not_all_are_stored_in(stored: Shelf, level: str) -> None:
    answer = stored.api.get(stored.path(level), f"{DICOM_PARTS}; transfer-syntax={EXPLICIT}")
    assert answer.status_code == 406
    assert RLE in answer.json()["detail"]


def test_several_instances_in_the_syntax_that_all_are_stored_in(api: Api) -> None:
    study = new_uid()
    api.keep(*(without_pixels(new_identity(study)) for _ in range(3)))
    assert len(parts(api.get(f"/studies/{study}", f"{DICOM_PARTS}; transfer-syntax={EXPLICIT}"))) == 3


@pytest.mark.parametrize("level", LEVELS)
def test_zip(stored: Shelf, level: str) -> None:
    answer = stored.api.get(stored.path(level), ZIP)
    assert answer.headers["content-type"] == ZIP
    name = stored.path(level).rpartition("/")[2]
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        found = {entry: archive.read(entry) for entry in archive.namelist()}
    assert found == {
        f"{identity.study}/{identity.series}/{identity.instance}.dcm": stored.files[identity]
        for identity in stored.within(level)
    }


@pytest.mark.parametrize("level", LEVELS)
def test_the_accept_parameter_overrides_the_header(stored: Shelf, level: str) -> None:
    answer = stored.api.get(f"{stored.path(level)}?accept=application/zip", "image/jpeg")
    assert answer.headers["content-type"] == ZIP
    quoted = "multipart/related%3B%20type%3D%22application/dicom%22%3B%20transfer-syntax%3D*"
    answer = stored.api.get(f"{stored.path(level)}?&Accept={quoted}", ZIP)
    assert len(parts(answer)) == len(stored.within(level))


VARYING = {"date", "transfer-encoding", "x-request-id"}


def comparable(answer: httpx.Response) -> dict[str, str]:
    """The headers that are the same each time: boundaries are new, and no body needs no transfer coding."""
    headers = {name: value for name, value in answer.headers.items() if name not in VARYING}
    return headers | {"content-type": headers["content-type"].partition("boundary=")[0]}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("accept", [None, ZIP])
def test_head_says_what_get_would(stored: Shelf, level: str, accept: str | None) -> None:
    head, get = stored.api.head(stored.path(level), accept), stored.api.get(stored.path(level), accept)
    assert (head.status_code, head.content) == (200, b"")
    assert comparable(head) == comparable(get)


@pytest.mark.parametrize("version", ["true", "True", "false"])
def test_the_original_of_what_was_never_updated_is_what_is_stored(stored: Shelf, version: str) -> None:
    answer = stored.api.get(stored.first.path, DICOM, msdicom_request_original=version)
    assert answer.content == stored.files[stored.first]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("accept", [None, ZIP, f"{DICOM_PARTS}; transfer-syntax={EXPLICIT}"])
def test_what_is_not_there_is_404(api: Api, method: str, level: str, accept: str | None) -> None:
    identity = new_identity()
    path = Shelf(api, {identity: b""}, {}).path(level)
    answer = api.request(method, path, accept=accept)
    assert answer.status_code == 404
    if method == "GET":
        assert answer.json()["detail"] == f"The specified {level} cannot be found."


def test_a_series_or_instance_under_the_wrong_parent_is_404(stored: Shelf) -> None:
    here, other = stored.first, new_identity()
    for wrong in (
        Identity(other.study, here.series, here.instance),
        Identity(here.study, other.series, here.instance),
        Identity(here.study, here.series, other.instance),
        Identity(here.series, here.study, here.instance),
    ):
        assert stored.api.get(wrong.path).status_code == 404
    assert stored.api.get(f"/studies/{here.study}/series/{other.series}").status_code == 404


def test_the_three_views_of_an_instance_agree(stored: Shelf) -> None:
    identity = stored.first
    (dataset,) = stored.api.metadata(identity.path)
    frame = stored.api.get(f"{identity.path}/frames/1", OCTETS)
    bulk = stored.api.http.get(dataset["7FE00010"]["BulkDataURI"], headers={"accept": OCTETS})
    assert dataset["00080018"]["Value"] == [identity.instance]
    assert frame.content == bulk.content == PIXELS
    assert PIXELS in stored.api.get(identity.path, DICOM).content


def test_a_study_of_many_instances(partition: Api) -> None:
    study = new_uid()
    files = [native(new_identity(study), bytes([number]) * 512) for number in range(60)]
    partition.keep(*files)
    assert {part.content for part in parts(partition.get(f"/studies/{study}"))} == set(files)


def test_instances_large_and_small_in_one_answer(partition: Api) -> None:
    study = new_uid()
    files = [native(new_identity(study), bytes([side % 251]) * 2 * side * side, side=side) for side in (16, 1200, 32)]
    partition.keep(*files)
    assert [part.content for part in parts(partition.get(f"/studies/{study}"))] == files
