import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dicom.model import ByteRange
from shared.dicomweb.ranges import (
    MAX_RANGES,
    byteranges_content_type,
    byteranges_part_head,
    content_range,
    parse_range,
)
from shared.errors import RangeNotSatisfiable


@pytest.mark.parametrize(
    ("header", "ranges"),
    [
        ("bytes=0-0", [(0, 1)]),
        ("bytes=0-99", [(0, 100)]),
        ("bytes=10-19", [(10, 10)]),
        ("Bytes = 10-19", [(10, 10)]),
        ("bytes=90-", [(90, 10)]),
        ("bytes=-10", [(90, 10)]),
        ("bytes=-1000", [(0, 100)]),
        ("bytes=90-1000", [(90, 10)]),
        ("bytes=0-" + "9" * 50, [(0, 100)]),
        ("bytes=0-0,-1", [(0, 1), (99, 1)]),
        ("bytes=50-59, 0-9 ,", [(50, 10), (0, 10)]),
        ("bytes=0-9,500-600", [(0, 10)]),
        ("bytes=0-9,5-14", [(0, 10), (5, 10)]),
    ],
)
def test_ranges_are_read_and_clamped(header: str, ranges: list[tuple[int, int]]) -> None:
    assert parse_range(header, 100) == tuple(ByteRange(*part) for part in ranges)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=-",
        "bytes=a-b",
        "bytes=9-5",
        "bytes=0-5-9",
        "bytes=0-9,x",
        "bytes=0-9;10-19",
        "bytes=+1-5",
        "bytes=\u0663-\u0665",
        "items=0-9",
        "0-9",
        "bytes=0-" + "9" * 5000,
        "bytes=" + ",".join(f"{2 * i}-{2 * i}" for i in range(MAX_RANGES + 1)),
        "bytes=0-,0-,0-",
        "bytes=0-50,10-60,20-70",
    ],
)
def test_a_malformed_or_abusive_range_gives_the_whole(header: str | None) -> None:
    assert parse_range(header, 100) is None


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=100-,200-300"])
def test_a_range_beyond_the_end_is_not_satisfiable(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable) as caught:
        parse_range(header, 100)
    assert caught.value.headers == {"Content-Range": "bytes */100"}


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=-5", "bytes=0-9"])
def test_an_empty_representation_is_given_whole(header: str) -> None:
    assert parse_range(header, 0) is None


def test_as_many_ranges_as_the_limit_are_answered() -> None:
    header = "bytes=" + ",".join(f"{2 * i}-{2 * i}" for i in range(MAX_RANGES))
    assert parse_range(header, 100) == tuple(ByteRange(2 * i, 1) for i in range(MAX_RANGES))


@given(st.text(alphabet="bytes=0123456789-, ", max_size=60), st.integers(0, 10_000))
def test_ranges_always_lie_within_the_representation(header: str, length: int) -> None:
    try:
        ranges = parse_range(f"bytes={header}", length)
    except RangeNotSatisfiable:
        return
    for part in ranges or ():
        assert 0 <= part.offset < part.offset + part.length <= length


def test_ranges_are_labelled() -> None:
    assert content_range(ByteRange(90, 10), 100) == "bytes 90-99/100"
    assert byteranges_content_type("b") == "multipart/byteranges; boundary=b"
    assert byteranges_part_head("b", "application/dicom", ByteRange(0, 1), 100) == (
        b"--b\r\nContent-Type: application/dicom\r\nContent-Range: bytes 0-0/100\r\n\r\n"
    )
