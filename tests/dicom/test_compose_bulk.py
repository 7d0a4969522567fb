"""Bulk data take the place of their URIs, pixel data as their transfer syntax has them."""

import base64
import tracemalloc
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import DataElement, Dataset, dcmread
from pydicom.encaps import generate_fragments, generate_frames

from shared.dicom.compose import BulkSource, compose
from shared.dicom.model import DataSet
from shared.errors import InvalidInstance, StorageError
from tests.dicom.composing import BASE, EXPLICIT, JPEG_2000, OCTETS, read
from tests.dicom.real_files import as_json, real_files

IMAGE: DataSet = {
    "00280008": {"vr": "IS", "Value": [2]},
    "00280010": {"vr": "US", "Value": [3]},
    "00280011": {"vr": "US", "Value": [3]},
    "00280100": {"vr": "US", "Value": [8]},
    "7FE00010": {"vr": "OB", "BulkDataURI": "pixels"},
}


@pytest.fixture
def part(tmp_path: Path) -> Any:
    """Writes bytes to a file of their own and gives the source for it."""
    numbers = iter(range(1000))

    def write(content: bytes, media_type: str = OCTETS, transfer_syntax: str | None = None) -> BulkSource:
        path = tmp_path / str(next(numbers))
        path.write_bytes(content)
        return BulkSource(path, len(content), media_type, transfer_syntax)

    return write


def test_uncompressed_pixel_data_has_its_length_and_even_padding(part: Any) -> None:
    pixels = bytes(range(9))
    result = read(IMAGE, {"pixels": [part(pixels)]})
    assert result.file_meta.TransferSyntaxUID == EXPLICIT
    assert result.PixelData == pixels + b"\0"
    assert result["PixelData"].VR == "OB"
    assert not result["PixelData"].is_undefined_length


@pytest.mark.parametrize("transfer_syntax", ["1.2.840.10008.1.2", EXPLICIT, "1.2.840.10008.1.2.1.99"])
def test_frames_of_uncompressed_pixel_data_are_put_together(transfer_syntax: str, part: Any) -> None:
    frames = [part(b"123", transfer_syntax=transfer_syntax), part(b"456", transfer_syntax=transfer_syntax)]
    result = read(IMAGE, {"pixels": frames})
    assert result.PixelData == b"123456"
    assert result.file_meta.TransferSyntaxUID == EXPLICIT


def test_wide_uncompressed_cells_are_words_whatever_the_metadata_say(part: Any) -> None:
    wide = IMAGE | {"00280100": {"vr": "US", "Value": [16]}}
    assert read(wide, {"pixels": [part(b"1234")]})["PixelData"].VR == "OW"
    inline = wide | {"7FE00010": {"vr": "OB", "InlineBinary": "AAE="}}
    assert read(inline)["PixelData"].VR == "OW"
    assert read(inline).PixelData == b"\0\1"


def test_compressed_frames_become_fragments_behind_an_empty_offset_table(part: Any) -> None:
    frames = [part(b"first", "image/jp2"), part(b"second", "image/jp2")]
    result = read(IMAGE | {"7FE00010": {"vr": "OW", "BulkDataURI": "pixels"}}, {"pixels": frames})
    assert result.file_meta.TransferSyntaxUID == JPEG_2000
    assert result["PixelData"].VR == "OB"
    assert result["PixelData"].is_undefined_length
    assert result.PixelData.startswith(b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\x00\xe0")
    assert list(generate_fragments(result.PixelData[8:])) == [b"first\0", b"second"]


def test_the_part_and_then_the_metadata_say_the_transfer_syntax(part: Any) -> None:
    single = IMAGE | {"00280008": {"vr": "IS", "Value": ["1"]}}
    lossy, lossless = "1.2.840.10008.1.2.4.91", JPEG_2000
    for tag in ("00020010", "00083002"):
        suggested = single | {tag: {"vr": "UI", "Value": [lossy]}}
        found = read(suggested, {"pixels": [part(b"ab", "image/jp2")]}).file_meta.TransferSyntaxUID
        assert found == lossy
        declared = read(suggested, {"pixels": [part(b"ab", "image/jp2", lossless)]}).file_meta.TransferSyntaxUID
        assert declared == lossless
        uncompressed = read(suggested, {"pixels": [part(b"ab")]}).file_meta.TransferSyntaxUID
        assert uncompressed == EXPLICIT
    encapsulated = read(single, {"pixels": [part(b"ab", OCTETS, "1.2.840.10008.1.2.1.98")]})
    assert encapsulated.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1.98"
    assert encapsulated["PixelData"].is_undefined_length


def test_a_video_is_one_part_however_many_frames_it_has(part: Any) -> None:
    video = IMAGE | {"00280008": {"vr": "IS", "Value": [300]}}
    result = read(video, {"pixels": [part(b"stream", "video/mp4")]})
    assert result.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.102"
    assert list(generate_fragments(result.PixelData[8:])) == [b"stream"]


@pytest.mark.parametrize(
    "parts",
    [
        [(b"a", "image/jp2")],
        [(b"a", "image/jp2"), (b"b", "image/jp2"), (b"c", "image/jp2")],
        [(b"a", "image/jp2"), (b"b", "image/jls")],
        [(b"a", "image/jp2"), (b"b", OCTETS)],
        [(b"a", "image/png"), (b"b", "image/png")],
        [(b"a", OCTETS, "1.2.840.10008.1.2.2"), (b"b", OCTETS, "1.2.840.10008.1.2.2")],
        [(b"a", "image/jp2", "1.2.3"), (b"b", "image/jp2", "1.2.3")],
        [(b"a", "image/jpeg"), (b"b", "image/jpeg")],
    ],
)
def test_parts_that_cannot_be_the_frames(parts: list[tuple[Any, ...]], part: Any) -> None:
    with pytest.raises(InvalidInstance):
        compose(BASE | IMAGE, {"pixels": [part(*arguments) for arguments in parts]})


def test_compressed_pixel_data_is_not_taken_inline() -> None:
    inline = IMAGE | {"7FE00010": {"vr": "OB", "InlineBinary": "AAE="}}
    with pytest.raises(InvalidInstance):
        compose(BASE | inline | {"00020010": {"vr": "UI", "Value": [JPEG_2000]}}, {})


def test_other_bulk_data_goes_where_its_uri_stands_also_inside_sequences(part: Any) -> None:
    document = {"vr": "OB", "BulkDataURI": "https://h/pdf"}
    icon = {"00280100": {"vr": "US", "Value": [8]}, "7FE00010": {"vr": "OB", "BulkDataURI": "icon"}}
    dataset = {
        "00420011": document,
        "00082112": {"vr": "SQ", "Value": [{}, {"00420011": document}]},
        "00880200": {"vr": "SQ", "Value": [icon]},
        "0040A160": {"vr": "UT", "BulkDataURI": "text"},
        "00091001": {"vr": "UN", "BulkDataURI": "private"},
        "30060050": {"vr": "DS", "BulkDataURI": "numbers"},
    }
    numbers = b"\\".join(b"%d" % number for number in range(20_000))
    bulk = {
        "https://h/pdf": [part(b"%PDF-", "application/pdf")],
        "icon": [part(b"iconic")],
        "text": [part(b"text!", "text/plain")],
        "private": [part(b"")],
        "numbers": [part(numbers)],
        "nobody asks": [part(b"?")],
    }
    result = read(dataset, bulk)
    assert result.EncapsulatedDocument == result.SourceImageSequence[1].EncapsulatedDocument == b"%PDF-\0"
    assert result.IconImageSequence[0].PixelData == b"iconic"
    assert result.TextValue == "text!"
    assert result[0x00091001].value in (None, b"")
    assert result.ContourData.rstrip() == numbers
    assert result.file_meta.TransferSyntaxUID == EXPLICIT


def test_compressed_pixel_data_inside_a_sequence_has_the_transfer_syntax_of_the_instance(part: Any) -> None:
    icon = {"7FE00010": {"vr": "OB", "BulkDataURI": "icon"}}
    dataset = IMAGE | {"00880200": {"vr": "SQ", "Value": [icon]}}
    frames = [part(b"ab", "image/jp2"), part(b"cd", "image/jp2")]
    result = read(dataset, {"pixels": frames, "icon": [part(b"ef", "image/jp2")]})
    assert list(generate_fragments(result.IconImageSequence[0].PixelData[8:])) == [b"ef"]
    native = read(dataset, {"pixels": frames, "icon": [part(b"ef")]})
    assert native.IconImageSequence[0].PixelData == b"ef"
    with pytest.raises(InvalidInstance, match="within a sequence"):
        compose(BASE | dataset, {"pixels": frames, "icon": [part(b"ef", "image/jls")]})
    with pytest.raises(InvalidInstance, match="within a sequence"):
        compose(BASE | dataset, {"pixels": [part(b"ab")], "icon": [part(b"ef", "image/jp2")]})


def test_only_pixel_data_takes_several_parts(part: Any) -> None:
    dataset = {"00420011": {"vr": "OB", "BulkDataURI": "pdf"}}
    with pytest.raises(InvalidInstance, match=r"More than one part of bulk data was sent for \(0042,0011\)"):
        compose(BASE | dataset, {"pdf": [part(b"a"), part(b"b")]})


def test_a_uri_without_a_part_is_an_error_and_never_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("a connection was opened"))
    for uri in ("http://127.0.0.1/x", "file:///etc/hostname", "/etc/hostname"):
        with pytest.raises(InvalidInstance, match=r"^No bulk data was sent for \(0042,0011\)\.$"):
            compose(BASE | {"00420011": {"vr": "OB", "BulkDataURI": uri}}, {})


def test_values_beyond_32_bits_of_length_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.truncate(2**32)
    huge = [BulkSource(path, 2**32 - 1, OCTETS)]
    with pytest.raises(InvalidInstance, match="4 GiB"):
        compose(BASE | IMAGE, {"pixels": huge})
    frames = [BulkSource(path, 2**32 - 1, "image/jp2")] * 2
    with pytest.raises(InvalidInstance, match="4 GiB"):
        compose(BASE | IMAGE, {"pixels": frames})


def test_large_bulk_data_never_stands_in_memory_whole(tmp_path: Path) -> None:
    path, size = tmp_path / "large", 256 * 2**20
    with path.open("wb") as file:
        file.truncate(size)
    tracemalloc.start()
    chunks = compose(BASE | IMAGE, {"pixels": [BulkSource(path, size, OCTETS)]})
    lengths = [len(chunk) for chunk in chunks]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(lengths) > size
    assert max(lengths) <= 2**20
    assert 0 not in lengths[:-1]
    assert peak < 4 * 2**20


def test_a_part_that_shrank_breaks_the_file_off(part: Any) -> None:
    source = part(b"pixels")
    chunks = compose(BASE | IMAGE, {"pixels": [source]})
    source.path.write_bytes(b"pix")
    with pytest.raises(StorageError):
        list(chunks)


def elements(dataset: DataSet) -> Iterator[tuple[str, dict[str, Any]]]:
    """All elements by their place, but what a composed file has otherwise on purpose."""
    for tag, element in dataset.items():
        if element["vr"] == "SQ":
            yield tag, {"vr": "SQ", "items": len(element.get("Value", []))}
            for number, item in enumerate(element.get("Value", [])):
                for path, found in elements(item):
                    yield f"{tag}/{number}/{path}", found
        elif tag not in ("00080005", "7FE00010"):
            found = {key: value for key, value in element.items() if key != "BulkDataURI"}
            yield tag, found | ({"InlineBinary": _even(found["InlineBinary"])} if "InlineBinary" in found else {})


def _even(text: str) -> bytes:
    raw = base64.b64decode(text)
    return raw + bytes(len(raw) % 2)


def contents(element: DataElement, frames: int) -> list[bytes]:
    """The value, or the frames of an encapsulated one, each of even length."""
    value = element.value
    parts = list(generate_frames(value, number_of_frames=frames)) if element.is_undefined_length else [value]
    return [content + bytes(len(content) % 2) for content in parts]


def taken_apart(dataset: Dataset, frames: int) -> tuple[DataSet, dict[str, tuple[bool, list[bytes]]]]:
    bulk: dict[str, tuple[bool, list[bytes]]] = {}

    def keep(element: DataElement) -> str:
        uri = f"bulk/{len(bulk)}"
        bulk[uri] = bool(element.is_undefined_length), contents(element, frames)
        return uri

    return as_json(dataset, keep), bulk


@pytest.mark.filterwarnings("ignore")
def test_real_files_survive_being_taken_apart_and_composed(part: Any) -> None:
    count = 0
    for name, original in real_files():
        frames = int(original.get("NumberOfFrames") or 1) if name != "badVR.dcm" else 1
        transfer_syntax = str(original.file_meta.get("TransferSyntaxUID", EXPLICIT))
        dataset, bulk = taken_apart(original, frames)
        if "InlineBinary" in dataset.get("7FE00010", {}) and original["PixelData"].is_undefined_length:
            continue
        dataset = BASE | dataset
        identified = {tag: dataset[tag] if dataset[tag].get("Value") else BASE[tag] for tag in BASE}
        dataset = dict(sorted((dataset | identified).items()))
        sources = {
            uri: [part(raw, OCTETS, transfer_syntax if encapsulated else None) for raw in parts]
            for uri, (encapsulated, parts) in bulk.items()
        }
        composed = dcmread(BytesIO(b"".join(compose(dataset, sources))))
        again, bulk_again = taken_apart(composed, frames)
        assert dict(elements(again)) == dict(elements(dataset)), name
        assert [found for _, found in bulk_again.values()] == [found for _, found in bulk.values()], name
        if any(encapsulated for encapsulated, _ in bulk.values()):
            assert composed.file_meta.TransferSyntaxUID == transfer_syntax
        count += 1
    assert count > 150
