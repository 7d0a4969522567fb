import struct
from pathlib import Path

import pytest
from pydicom.encaps import generate_frames
from pydicom.uid import UID

from shared.dicom.pixel_media import COMPRESSED, pixel_transfer_syntax
from shared.errors import InvalidInstance
from tests.dicom.real_files import real_files

OCTETS = "application/octet-stream"
NOWHERE = Path("nowhere")
"""A file that is not to be opened."""


def jpeg(*segments: tuple[int, bytes]) -> bytes:
    return b"\xff\xd8" + b"".join(struct.pack(">HH", marker, len(body) + 2) + body for marker, body in segments)


def scan(components: int, predictor: int) -> tuple[int, bytes]:
    return 0xFFDA, bytes([components]) + bytes(2 * components) + bytes([predictor, 0, 0])


def test_the_table_holds_transfer_syntaxes_of_the_standard_each_for_one_media_type() -> None:
    known = [UID(uid) for name, uids in COMPRESSED.items() for uid in uids if name != "image/jxl"]
    assert all(uid.is_transfer_syntax and uid.is_compressed for uid in known), "pydicom knows all but JPEG XL"
    current = [uids for name, uids in COMPRESSED.items() if "/x-" not in name and name != "video/mpeg2"]
    assert len({uid for uids in current for uid in uids}) == sum(map(len, current))


@pytest.mark.parametrize("media_type", sorted(set(COMPRESSED) - {"image/jpeg"}))
def test_the_default_of_a_media_type_and_what_the_metadata_name(media_type: str) -> None:
    choices = COMPRESSED[media_type]
    assert pixel_transfer_syntax(media_type, None, (), NOWHERE) == choices[0]
    assert pixel_transfer_syntax(media_type, None, ("1.2.840.10008.1.2.1", choices[-1]), NOWHERE) == choices[-1]
    assert pixel_transfer_syntax(media_type, None, ("1.2.840.10008.1.2.4.50",), NOWHERE) == choices[0]


def test_uncompressed_is_explicit_vr_little_endian() -> None:
    for declared in (None, "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"):
        assert pixel_transfer_syntax(OCTETS, declared, ("1.2.840.10008.1.2.4.50",), NOWHERE) == "1.2.840.10008.1.2.1"


def test_what_a_part_declares_counts_most() -> None:
    for media_type in (OCTETS, "image/jp2", "image/jpeg", "image/unheard-of"):
        declared = "1.2.840.10008.1.2.4.91"
        assert pixel_transfer_syntax(media_type, declared, ("1.2.840.10008.1.2.4.90",), NOWHERE) == declared


@pytest.mark.parametrize(
    ("media_type", "declared"),
    [
        (OCTETS, "1.2.840.10008.1.2.2"),
        (OCTETS, "1.2.3"),
        (OCTETS, "1.2.840.10008.1.2.4.x"),
        (OCTETS, ""),
        ("image/png", None),
        ("application/pdf", None),
        ("", None),
    ],
)
def test_what_no_part_10_file_can_hold(media_type: str, declared: str | None) -> None:
    with pytest.raises(InvalidInstance):
        pixel_transfer_syntax(media_type, declared, (), NOWHERE)


@pytest.mark.parametrize(
    ("content", "transfer_syntax"),
    [
        (jpeg((0xFFE0, b"JFIF"), (0xFFC0, b"frame"), scan(1, 0)), "1.2.840.10008.1.2.4.50"),
        (jpeg((0xFFE2, b"x" * 60_000), (0xFFC1, b"frame"), scan(3, 0)), "1.2.840.10008.1.2.4.51"),
        (jpeg((0xFFC3, b"frame"), scan(1, 1)), "1.2.840.10008.1.2.4.70"),
        (jpeg((0xFFC3, b"frame"), scan(3, 1)), "1.2.840.10008.1.2.4.70"),
        (jpeg((0xFFC3, b"frame"), scan(3, 2)), "1.2.840.10008.1.2.4.57"),
    ],
)
def test_the_process_of_a_jpeg(content: bytes, transfer_syntax: str, tmp_path: Path) -> None:
    path = tmp_path / "frame"
    path.write_bytes(content)
    assert pixel_transfer_syntax("image/jpeg", None, ("1.2.840.10008.1.2.4.70",), path) == transfer_syntax


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"\x89PNG\r\n",
        b"\xff\xd8",
        b"\xff\xd8\xff",
        b"\xff\xd8\0\0\0\0",
        jpeg((0xFFC2, b"progressive"), scan(1, 0)),
        jpeg(scan(1, 0), (0xFFC0, b"too late")),
        jpeg(*[(0xFFFE, b"")] * 100_000),
        b"\xff\xd8" + b"\xff\xe0\0\0" * 1000,
    ],
)
def test_what_is_no_jpeg_of_dicom(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "frame"
    path.write_bytes(content)
    with pytest.raises(InvalidInstance):
        pixel_transfer_syntax("image/jpeg", None, (), path)


@pytest.mark.filterwarnings("ignore")
def test_the_process_of_real_jpegs(tmp_path: Path) -> None:
    path = tmp_path / "frame"
    seen = set()
    for name, dataset in real_files():
        transfer_syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
        if transfer_syntax in COMPRESSED["image/jpeg"] and "PixelData" in dataset:
            frame = next(generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames", 1))))
            path.write_bytes(frame)
            assert pixel_transfer_syntax("image/jpeg", None, (), path) == transfer_syntax, name
            seen.add(transfer_syntax)
    assert len(seen) >= 3
