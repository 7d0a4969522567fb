"""Many parts of a blob are read by few requests."""

from hypothesis import given
from hypothesis import strategies as st

from shared.dicom.model import ByteRange
from shared.storage.blobs.spans import GAP, cut, spans

SIZE = 1_000_000
CONTENT = bytes(number % 251 for number in range(SIZE))
RANGES = st.lists(
    st.builds(ByteRange, st.integers(0, SIZE // 2), st.one_of(st.integers(0, 50), st.integers(0, SIZE // 2)))
)


def test_near_parts_are_read_together_and_far_ones_apart() -> None:
    near = [ByteRange(100, 10), ByteRange(0, 10), ByteRange(105, 20), ByteRange(110 + GAP, 5)]
    assert spans(near) == [ByteRange(0, 115 + GAP)]
    assert spans([ByteRange(0, 10), ByteRange(10 + GAP, 10)]) == [ByteRange(0, 10), ByteRange(10 + GAP, 10)]
    assert spans([ByteRange(7, 0)]) == []


@given(RANGES)
def test_every_part_is_cut_out_of_its_span(ranges: list[ByteRange]) -> None:
    covering = spans(ranges)
    contents = [memoryview(CONTENT)[span.offset : span.offset + span.length] for span in covering]
    assert [cut(part, covering, contents) for part in ranges] == [
        CONTENT[part.offset : part.offset + part.length] for part in ranges
    ]


@given(RANGES)
def test_little_is_read_for_nothing(ranges: list[ByteRange]) -> None:
    read = sum(span.length for span in spans(ranges))
    assert read <= sum(part.length for part in ranges) + GAP * len(ranges)
