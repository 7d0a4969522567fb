from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dicomweb.moments import moment_text, parse_moment

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOON = "2024-02-29T12:00:00"
AT_NOON = 1_709_208_000_000_000


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        (f"{NOON}Z", 0),
        (f"{NOON}z", 0),
        ("2024-02-29t12:00:00Z", 0),
        ("2024-02-29T12:00Z", 0),
        (f"{NOON}+00:00", 0),
        (f"{NOON}-00:00", 0),
        ("2024-02-29T13:30:00+01:30", 0),
        ("2024-02-29T13:30:00 01:30", 0),
        ("2024-02-29T13:30:00+0130", 0),
        ("2024-02-29T13:30:00+1:30", 0),
        ("2024-02-29T14:00:00+02", 0),
        ("2024-02-29T14:00:00+2", 0),
        ("2024-02-28T22:00:00-14:00", 0),
        ("2024-03-01T02:00:00+14:00", 0),
        ("2024-02-29T05:00:00-07:0", 0),
        (f"{NOON}.5Z", 500_000),
        (f"{NOON}.123456Z", 123_456),
        (f"{NOON}.1234560Z", 123_456),
        (f"{NOON}.1234561Z", 123_457),
        (f"{NOON}.1234569+00:00", 123_457),
        (f"{NOON}.123456001Z", 123_457),
        (f"{NOON}.9999999Z", 1_000_000),
    ],
)
def test_what_is_read(text: str, microseconds: int) -> None:
    assert parse_moment(text) == AT_NOON + microseconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "foo",
        "2024-02-29",
        NOON,
        f"{NOON}X",
        f"{NOON}.Z",
        f"{NOON}.0123456789Z",
        f"{NOON}+",
        f"{NOON}+14:01",
        f"{NOON}+15:00",
        f"{NOON}+01:60",
        f"{NOON}+101:00",
        f" {NOON}Z",
        f"{NOON}Z ",
        f"{NOON}ZZ",
        "2024-02-30T12:00:00Z",
        "2024-02-29T24:00:00Z",
        "2024-02-29T12:00:60Z",
        "0000-01-01T00:00:00Z",
        "4/26/2023 5:38:06 PM",
        "Thu, 29 Feb 2024 12:00:00 GMT",
        "\uff12024-02-29T12:00:00Z",
    ],
)
def test_what_is_no_moment(text: str) -> None:
    assert parse_moment(text) is None


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.9999999-14:00"])
def test_the_ends_of_time_are_moments(text: str) -> None:
    """.NET's least and greatest are what its clients send for no limit."""
    assert parse_moment(text) is not None


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_is_written_is_read_back(moment: datetime) -> None:
    microseconds = (moment - EPOCH) // timedelta(microseconds=1)
    text = moment_text(microseconds)
    assert len(text) == len("2024-02-29T12:00:00.000000Z")
    assert datetime.fromisoformat(text) == moment
    assert parse_moment(text) == microseconds


@given(
    st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1)),
    st.integers(min_value=-14 * 60, max_value=14 * 60),
)
def test_any_offset_names_the_same_moment(moment: datetime, offset: int) -> None:
    microseconds = (moment - datetime(1970, 1, 1)) // timedelta(microseconds=1)
    sign, (hours, minutes) = "-" if offset < 0 else "+", divmod(abs(offset), 60)
    local = (moment + timedelta(minutes=offset)).isoformat(timespec="microseconds")
    assert parse_moment(f"{local}{sign}{hours:02}:{minutes:02}") == microseconds
