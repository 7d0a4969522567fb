"""Every file that pydicom and pydicom-data ship, scanned and held against pydicom's reading."""

import random
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain, repeat
from pathlib import Path

import orjson
import pytest
from pydicom.data.data_manager import DATA_ROOT, external_data_sources
from pydicom.encaps import generate_frames

from shared.dicom.layout import decode_layout, encode_layout, frame_ranges
from shared.dicom.model import ByteRange, EncapsulatedFrames, Part10
from shared.dicom.scanner import Scanner, scan
from shared.dicom.transfer_syntax import DEFLATED, IMPLICIT_VR_LITTLE_ENDIAN
from shared.errors import InvalidInstance, NotPart10, TruncatedInstance
from tests.dicom.building import PREAMBLE
from tests.dicom.reference import differences, read, reference

FOLDERS = [Path(DATA_ROOT), *(Path(source.data_path) for source in external_data_sources().values())]
FILES = {
    path.relative_to(folder).as_posix(): path
    for folder in FOLDERS
    for path in sorted(folder.rglob("*"))
    if path.is_file() and path.suffix not in (".py", ".pyc")
}

REFUSED: dict[str, type[InvalidInstance]] = {
    # no preamble and prefix: pydicom reads these with force=True only
    "ExplVR_BigEndNoMeta.dcm": NotPart10,
    "ExplVR_LitEndNoMeta.dcm": NotPart10,
    "OT-PAL-8-face.dcm": NotPart10,
    "no_meta.dcm": NotPart10,
    "rtstruct.dcm": NotPart10,
    # no DICOM at all
    "FileInfo.txt": NotPart10,
    "README": NotPart10,
    "README.md": NotPart10,
    "README.txt": NotPart10,
    "crayons.icc": NotPart10,
    "hashes.json": NotPart10,
    "rtplan.dump": NotPart10,
    "rtstruct.dump": NotPart10,
    "test1.json": NotPart10,
    "test_PN.json": NotPart10,
    "urls.json": NotPart10,
    "zipMR.gz": NotPart10,
    # cut short: pydicom takes what there is of them
    "DICOMDIR-nooffset": TruncatedInstance,
    "MR_truncated.dcm": TruncatedInstance,
    "emri_small_jpeg_2k_lossless_too_short.dcm": TruncatedInstance,
    "rtplan_truncated.dcm": TruncatedInstance,
}
ACCEPTED = sorted(name for name, path in FILES.items() if path.name not in REFUSED)
UNREADABLE_FOR_PYDICOM = {"badVR.dcm"}
"""With a NumberOfFrames that is no number, pydicom has no idea of the frames; the scanner counts one."""


def load(name: str) -> bytes:
    return FILES[name].read_bytes()


def inflated(data: bytes, instance: Part10) -> bytes:
    """The file that the byte ranges count in."""
    if instance.transfer_syntax not in DEFLATED:
        return data
    start = len(PREAMBLE) + 12 + read(data).file_meta.FileMetaInformationGroupLength
    return data[:start] + zlib.decompress(data[start:], -zlib.MAX_WBITS)


def joined(data: bytes, ranges: Iterable[ByteRange]) -> bytes:
    return b"".join(data[part.offset : part.offset + part.length] for part in ranges)


def chunked(data: bytes, sizes: Iterator[int]) -> Part10:
    scanner = Scanner()
    position = 0
    while position < len(data):
        size = next(sizes)
        scanner.feed(data[position : position + size])
        position += size
    return scanner.finish()


def test_every_file_is_accounted_for() -> None:
    assert len(ACCEPTED) > 200
    assert REFUSED.keys() <= {path.name for path in FILES.values()}


@pytest.mark.parametrize("name", sorted(set(FILES) - set(ACCEPTED)))
def test_refused_files_are_refused_for_the_right_reason(name: str) -> None:
    with pytest.raises(InvalidInstance) as caught:
        scan(load(name))
    assert type(caught.value) is REFUSED[FILES[name].name]


@pytest.mark.parametrize("name", ACCEPTED)
def test_data_sets_are_those_that_pydicom_reads(name: str) -> None:
    data = load(name)
    instance = scan(data)
    oracle = read(data)
    expected = reference(oracle, little_endian=bool(oracle.original_encoding[1]))
    assert differences(instance.dataset, expected.dataset) == []
    assert differences(instance.file_meta, reference(oracle.file_meta).dataset) == []
    whole = inflated(data, instance)
    assert {key: joined(whole, ranges) for key, ranges in instance.bulk.items()} == expected.bulk
    assert instance.length == len(data)
    assert instance.transfer_syntax == oracle.file_meta.get("TransferSyntaxUID", IMPLICIT_VR_LITTLE_ENDIAN)
    assert orjson.loads(orjson.dumps(instance.dataset)) == instance.dataset


@pytest.mark.parametrize("name", ACCEPTED)
def test_chunks_make_no_difference(name: str) -> None:
    data = load(name)
    whole = scan(data)
    choice = random.Random(name)
    assert chunked(data, iter(lambda: choice.choice((1, 2, 5, 13, 200, 4096, 65536)), 0)) == whole
    first_bytes_alone = chain(repeat(1, 4096), repeat(65536))
    assert chunked(data, first_bytes_alone) == whole


@pytest.mark.parametrize("name", ACCEPTED)
def test_frames_are_those_that_pydicom_finds(name: str) -> None:
    data = load(name)
    instance = scan(data)
    oracle = read(data)
    if "PixelData" not in oracle or "Rows" not in oracle:
        assert instance.frames is None
        return
    layout = decode_layout(encode_layout(instance))
    assert dict(layout.bulk) == instance.bulk
    assert layout.frames is not None
    whole = inflated(data, instance)
    frames = [joined(whole, frame_ranges(layout.frames, index)) for index in range(layout.frames.count)]
    count = 1 if FILES[name].name in UNREADABLE_FOR_PYDICOM else int(oracle.get("NumberOfFrames") or 1)
    if isinstance(instance.frames, EncapsulatedFrames):
        assert frames == list(generate_frames(oracle.PixelData, number_of_frames=count))
    else:
        size = oracle.Rows * oracle.Columns * oracle.SamplesPerPixel * oracle.BitsAllocated // 8
        if oracle.PhotometricInterpretation == "YBR_FULL_422":
            size = size * 2 // 3
        assert frames == [oracle.PixelData[size * index : size * (index + 1)] for index in range(count)]
