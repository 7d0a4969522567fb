"""Layouts come back as they went in, are small, and are quick to read from."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dicom.layout import FrameTable, decode_layout, encode_layout, frame_bytes, frame_ranges
from shared.dicom.model import ByteRange, EncapsulatedFrames, Frames, NativeFrames, Part10

ranges = st.builds(ByteRange, st.integers(0, 2**34), st.integers(0, 2**33))
range_tuples = st.lists(ranges, max_size=4).map(tuple)
native = st.builds(
    NativeFrames,
    tag=st.sampled_from(["7FE00008", "7FE00009", "7FE00010"]),
    vr=st.sampled_from(["OB", "OW"]),
    value=ranges,
    frame_bits=st.integers(1, 2**40),
    count=st.integers(1, 2**33),
)
encapsulated = st.builds(
    EncapsulatedFrames,
    tag=st.just("7FE00010"),
    frames=st.lists(st.lists(ranges, min_size=1, max_size=3).map(tuple), min_size=1, max_size=4).map(tuple),
)
references = st.from_regex(r"\A([0-9A-F]{8}/[0-9]{1,3}/){0,3}[0-9A-F]{8}\Z")


def instance(frames: Frames | None, bulk: dict[str, tuple[ByteRange, ...]]) -> Part10:
    return Part10("1.2", {}, {}, bulk, frames, 0)


@given(frames=st.one_of(st.none(), native, encapsulated), bulk=st.dictionaries(references, range_tuples, max_size=4))
def test_layouts_come_back_as_they_went_in(frames: Frames | None, bulk: dict[str, tuple[ByteRange, ...]]) -> None:
    layout = decode_layout(encode_layout(instance(frames, bulk)))
    assert dict(layout.bulk) == bulk
    assert len(layout.bulk) == len(bulk)
    if isinstance(frames, EncapsulatedFrames):
        assert isinstance(layout.frames, FrameTable)
        assert layout.frames.tag == frames.tag
        found = tuple(frame_ranges(layout.frames, index) for index in range(layout.frames.count))
        assert found == frames.frames
    else:
        assert layout.frames == frames


@given(frames=encapsulated)
def test_pixel_data_is_written_once(frames: EncapsulatedFrames) -> None:
    fragments = tuple(fragment for frame in frames.frames for fragment in frame)
    raw = encode_layout(instance(frames, {"7FE00010": fragments}))
    assert decode_layout(raw).bulk["7FE00010"] == fragments
    assert len(raw) - len(encode_layout(instance(frames, {}))) == 2 + 8 + 5


def test_an_unknown_reference_or_frame_is_an_error() -> None:
    layout = decode_layout(encode_layout(instance(NativeFrames("7FE00010", "OB", ByteRange(0, 8), 32, 2), {})))
    assert layout.frames is not None
    with pytest.raises(KeyError):
        layout.bulk["7FE00010"]
    for index in (-1, 2):
        with pytest.raises(IndexError):
            frame_ranges(layout.frames, index)


def test_another_version_is_an_error() -> None:
    with pytest.raises(ValueError, match="version 9"):
        decode_layout(b"\x09\x00")


@pytest.mark.parametrize(
    ("index", "where", "bits"),
    [
        (0, ByteRange(100, 2), 0b0_1010_1011),
        (1, ByteRange(101, 2), 0b0_0011_0011),
        (7, ByteRange(107, 2), 0b1_1111_0000),
    ],
)
def test_frames_between_bytes_are_read_with_their_neighbours(index: int, where: ByteRange, bits: int) -> None:
    frames = NativeFrames("7FE00010", "OB", ByteRange(100, 9), 9, 8)
    value = sum(
        pattern << 9 * place for place, pattern in {0: 0b0_1010_1011, 1: 0b0_0011_0011, 7: 0b1_1111_0000}.items()
    )
    file = bytes(100) + value.to_bytes(9, "little")
    assert frame_ranges(frames, index) == (where,)
    raw = file[where.offset : where.offset + where.length]
    assert frame_bytes(frames, index, raw) == bits.to_bytes(2, "little")


def test_native_layouts_are_small_and_quick() -> None:
    value = ByteRange(9000, 512 * 512 * 2)
    raw = encode_layout(instance(NativeFrames("7FE00010", "OW", value, value.length * 8, 1), {"7FE00010": (value,)}))
    assert len(raw) < 80
    began = process_time()
    for _ in range(1000):
        layout = decode_layout(raw)
        assert layout.frames is not None
        frame_ranges(layout.frames, 0)
    assert (process_time() - began) / 1000 < 100e-6


@pytest.mark.parametrize("fragments_each", [1, 2])
def test_layouts_of_many_frames_are_compact_and_quick(fragments_each: int) -> None:
    count = 100_000
    fragments = tuple(ByteRange(9000 + index * 5008, 5000) for index in range(count))
    frames = tuple(fragments[at : at + fragments_each] for at in range(0, count, fragments_each))
    raw = encode_layout(instance(EncapsulatedFrames("7FE00010", frames), {"7FE00010": fragments}))
    assert len(raw) < 1_100_000
    began = process_time()
    for index in range(1000):
        layout = decode_layout(raw)
        assert layout.frames is not None
        assert frame_ranges(layout.frames, index * 50) == frames[index * 50]
    assert (process_time() - began) / 1000 < 100e-6
    assert decode_layout(raw).bulk["7FE00010"] == fragments
