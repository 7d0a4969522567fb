"""Which bytes make which frame, for every way that pixel data is laid out."""

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.encaps import generate_frames

from shared.dicom.layout import FrameTable, decode_layout, encode_layout, frame_bytes, frame_ranges
from shared.dicom.model import EncapsulatedFrames, Frames, NativeFrames
from shared.dicom.scanner import scan
from shared.dicom.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN
from tests.dicom.building import explicit, fragments, item, part10, sequence

JPEG = "1.2.840.10008.1.2.4.50"
MPEG4 = "1.2.840.10008.1.2.4.102"
IMAGE = b"\xff\xd8..\xff\xd9"
PIECE = st.binary(min_size=1, max_size=9).filter(lambda piece: IMAGE[-2:] not in piece)
"""A fragment with no mark of an image's end in it."""


def attributes(
    rows: int = 2,
    columns: int = 2,
    bits: int = 8,
    samples: int = 1,
    frames: str | None = None,
    photometric: str = "MONOCHROME2",
) -> bytes:
    stated = b"" if frames is None else explicit(0x00280008, "IS", frames.encode())
    return b"".join(
        [
            explicit(0x00280002, "US", pack("<H", samples)),
            explicit(0x00280004, "CS", photometric.encode()),
            stated,
            explicit(0x00280010, "US", pack("<H", rows)),
            explicit(0x00280011, "US", pack("<H", columns)),
            explicit(0x00280100, "US", pack("<H", bits)),
        ]
    )


def frames_in(dataset: bytes, syntax: str = EXPLICIT_VR_LITTLE_ENDIAN) -> list[bytes] | None:
    """The bytes of each frame, by way of the encoded layout."""
    data = part10(dataset, syntax)
    layout = decode_layout(encode_layout(scan(data)))
    if layout.frames is None:
        return None
    found = []
    for index in range(layout.frames.count):
        ranges = frame_ranges(layout.frames, index)
        raw = b"".join(data[part.offset : part.offset + part.length] for part in ranges)
        found.append(raw if isinstance(layout.frames, FrameTable) else frame_bytes(layout.frames, index, raw))
    return found


def scanned(dataset: bytes, syntax: str = EXPLICIT_VR_LITTLE_ENDIAN) -> Frames | None:
    return scan(part10(dataset, syntax)).frames


class TestNative:
    @pytest.mark.parametrize("frames", [None, "1", "0", "x"])
    def test_one_frame(self, frames: str | None) -> None:
        assert frames_in(attributes(frames=frames) + explicit(0x7FE00010, "OB", b"abcd")) == [b"abcd"]

    def test_several_frames_of_several_samples(self) -> None:
        pixels = bytes(range(48))
        dataset = attributes(bits=16, samples=3, frames="2") + explicit(0x7FE00010, "OW", pixels)
        assert frames_in(dataset) == [pixels[:24], pixels[24:]]
        frames = scanned(dataset)
        assert isinstance(frames, NativeFrames)
        assert (frames.tag, frames.vr, frames.frame_bits, frames.count) == ("7FE00010", "OW", 192, 2)

    def test_padding_belongs_to_no_frame(self) -> None:
        dataset = attributes(rows=1, columns=3) + explicit(0x7FE00010, "OB", b"abc\0")
        assert frames_in(dataset) == [b"abc"]

    @pytest.mark.parametrize(("tag", "vr", "bits"), [(0x7FE00008, "OF", 32), (0x7FE00009, "OD", 64)])
    def test_floating_point_pixels(self, tag: int, vr: str, bits: int) -> None:
        pixels = bytes(range(4 * bits // 8))
        assert frames_in(attributes(bits=bits) + explicit(tag, vr, pixels)) == [pixels]

    @pytest.mark.parametrize("photometric", ["YBR_FULL_422", "YBR_PARTIAL_422"])
    def test_chrominance_may_be_subsampled(self, photometric: str) -> None:
        header = attributes(samples=3, frames="2", photometric=photometric)
        pixels = bytes(range(16))
        assert frames_in(header + explicit(0x7FE00010, "OB", pixels)) == [pixels[:8], pixels[8:]]

    def test_chrominance_that_was_not_subsampled_after_all(self) -> None:
        header = attributes(samples=3, frames="2", photometric="YBR_FULL_422")
        pixels = bytes(range(24))
        assert frames_in(header + explicit(0x7FE00010, "OB", pixels)) == [pixels[:12], pixels[12:]]

    @pytest.mark.parametrize(
        "header",
        [
            attributes(rows=3),
            attributes(frames="2"),
            attributes(frames="999999999999"),
            attributes(rows=0),
            attributes(bits=0),
            attributes(bits=12, rows=1, columns=1),
            b"",
        ],
    )
    def test_there_are_none_if_the_value_does_not_hold_them(self, header: bytes) -> None:
        assert frames_in(header + explicit(0x7FE00010, "OB", b"abcd")) is None

    def test_there_are_none_without_pixel_data(self) -> None:
        assert frames_in(attributes()) is None
        assert frames_in(attributes() + explicit(0x7FE00010, "OB")) is None
        assert frames_in(attributes() + sequence(0x00880200, item(explicit(0x7FE00010, "OB", b"abcd")))) is None

    def test_pixel_data_of_a_compressed_transfer_syntax_is_not_native(self) -> None:
        dataset = attributes() + explicit(0x7FE00010, "OB", b"abcd")
        assert frames_in(dataset, JPEG) is None
        assert frames_in(dataset, "1.2.3.4") == [b"abcd"]

    @given(rows=st.integers(1, 9), columns=st.integers(1, 9), count=st.integers(1, 9), data=st.data())
    def test_single_bits(self, rows: int, columns: int, count: int, data: st.DataObject) -> None:
        size = rows * columns
        bits = data.draw(st.lists(st.integers(0, 1), min_size=size * count, max_size=size * count))
        header = attributes(rows, columns, bits=1, frames=str(count))
        found = frames_in(header + explicit(0x7FE00010, "OB", packed(bits)))
        assert found == [packed(bits[index * size : (index + 1) * size]) for index in range(count)]


def packed(bits: list[int]) -> bytes:
    """Bits in bytes, the least significant first (PS3.5 8.1.1)."""
    number = sum(bit << place for place, bit in enumerate(bits))
    return number.to_bytes((len(bits) + 7) // 8, "little")


class TestEncapsulated:
    def test_all_fragments_are_the_only_frame(self) -> None:
        assert frames_in(attributes() + fragments(b"ab", b"cd"), JPEG) == [b"abcd"]

    def test_as_many_fragments_as_frames(self) -> None:
        assert frames_in(attributes(frames="2") + fragments(b"ab", b"cd"), JPEG) == [b"ab", b"cd"]

    @pytest.mark.parametrize("frames", [None, "2"])
    def test_basic_offset_table(self, frames: str | None) -> None:
        table = pack("<2I", 0, 20)
        dataset = attributes(frames=frames) + fragments(b"ab", b"cd", b"ef", table=table)
        assert frames_in(dataset, JPEG) == [b"abcd", b"ef"]

    @pytest.mark.parametrize(
        "table", [pack("<2I", 0, 8), pack("<2I", 10, 20), pack("<2I", 0, 0), pack("<I", 0), b"\0\0\0", bytes(12)]
    )
    def test_a_damaged_offset_table_is_passed_over(self, table: bytes) -> None:
        header = attributes(frames="2")
        assert frames_in(header + fragments(b"ab", IMAGE, IMAGE, table=table), JPEG) == [b"ab" + IMAGE, IMAGE]
        assert frames_in(header + fragments(b"ab", b"cd", table=table), JPEG) == [b"ab", b"cd"]

    @pytest.mark.parametrize("tail", [b"", b"\0", b"\0" * 8])
    def test_images_end_with_a_marker(self, tail: bytes) -> None:
        parts = (b"ab", IMAGE + tail, IMAGE + tail, b"c" * 5000, b"d", IMAGE)
        dataset = attributes(frames="3") + fragments(*parts)
        assert frames_in(dataset, JPEG) == [b"".join(parts[:2]), parts[2], b"".join(parts[3:])]

    @pytest.mark.parametrize(
        "parts",
        [
            (b"ab", b"cd", b"ef"),
            (IMAGE, IMAGE, IMAGE),
            (IMAGE, b"ab", IMAGE + b"\0" * 20),
            (IMAGE, IMAGE, b"ab"),
            (IMAGE,),
        ],
    )
    def test_there_are_none_if_fragments_can_not_be_told_apart(self, parts: tuple[bytes, ...]) -> None:
        assert frames_in(attributes(frames="2") + fragments(*parts), JPEG) is None

    def test_there_are_none_without_fragments(self) -> None:
        assert frames_in(attributes() + fragments(), JPEG) is None

    def test_the_fragments_of_a_video_are_one_stream(self) -> None:
        assert frames_in(attributes(frames="2") + fragments(b"ab", b"cd"), MPEG4) == [b"abcd"]

    def test_the_extended_offset_table_leaves_padding_out(self) -> None:
        dataset = attributes(frames="2") + extended([0, 12], [3, 1]) + fragments(b"abc\0", b"d\0")
        assert frames_in(dataset, JPEG) == [b"abc", b"d"]

    def test_a_long_extended_offset_table_is_bulk_data_and_used_all_the_same(self) -> None:
        count = 200
        parts = [bytes([index % 251, 7]) for index in range(count)]
        table = extended([10 * index for index in range(count)], [1] * count)
        instance = scan(part10(attributes(frames=str(count)) + table + fragments(*parts), JPEG))
        assert instance.dataset["7FE00001"] == {"vr": "OV", "BulkDataURI": "7FE00001"}
        assert instance.bulk["7FE00001"][0].length == 8 * count
        assert isinstance(instance.frames, EncapsulatedFrames)
        assert [frame[0].length for frame in instance.frames.frames] == [1] * count

    @pytest.mark.parametrize(
        ("offsets", "lengths"), [([0, 11], [2, 2]), ([0, 10], [2, 3]), ([0], [2]), ([0, 10], [2]), ([], [])]
    )
    def test_a_damaged_extended_offset_table_is_passed_over(self, offsets: list[int], lengths: list[int]) -> None:
        dataset = attributes(frames="2") + extended(offsets, lengths) + fragments(b"ab", b"cd")
        assert frames_in(dataset, JPEG) == [b"ab", b"cd"]

    @given(
        frames=st.lists(st.lists(PIECE, min_size=1, max_size=3), min_size=1, max_size=5),
        with_table=st.booleans(),
    )
    def test_frames_are_those_that_pydicom_generates(self, frames: list[list[bytes]], with_table: bool) -> None:
        if not with_table:
            frames = [[*frame, IMAGE] for frame in frames]
        sizes = [sum(len(part) + 8 for part in frame) for frame in frames]
        table = pack(f"<{len(frames)}I", *(sum(sizes[:index]) for index in range(len(frames))))
        value = fragments(*(part for frame in frames for part in frame), table=table if with_table else b"")
        found = frames_in(attributes(frames=str(len(frames))) + value, JPEG)
        assert found == [b"".join(frame) for frame in frames]
        assert found == list(generate_frames(value[12:], number_of_frames=len(frames)))


def extended(offsets: list[int], lengths: list[int]) -> bytes:
    return explicit(0x7FE00001, "OV", pack(f"<{len(offsets)}Q", *offsets)) + explicit(
        0x7FE00002, "OV", pack(f"<{len(lengths)}Q", *lengths)
    )
