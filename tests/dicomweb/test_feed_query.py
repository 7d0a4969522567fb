"""Requests to the change feed are read as the Microsoft DICOM service reads them, and as this page says beyond that."""

from urllib.parse import quote

import pytest

from shared.dicomweb.feed_query import ACTIONS, FeedRequest, parse_feed_query, parse_latest_query
from shared.errors import BadRequest
from shared.storage.index.feed import Action
from tests.dicomweb.feed_refusals import ACTION, BACKWARDS, METADATA, MOMENT, OFFSET, PARTITION, STUDY, WAIT

NOON = 1_709_208_000_000_000
LIMITS = {
    1: "The query parameter 'Limit' is invalid. The field Limit must be between 1 and 100.",
    2: "The query parameter 'Limit' is invalid. The field Limit must be between 1 and 200.",
}


def refusal(raw: str, api_version: int = 2) -> str:
    with pytest.raises(BadRequest) as caught:
        parse_feed_query(raw, api_version)
    return caught.value.detail


def test_defaults() -> None:
    assert parse_feed_query("", 1) == parse_feed_query("&&", 1) == FeedRequest(limit=10)
    assert parse_feed_query("", 2) == FeedRequest(limit=100)
    assert parse_latest_query("") == FeedRequest()
    assert FeedRequest().with_metadata
    assert (FeedRequest().after, FeedRequest().skip, FeedRequest().wait) == (0, 0, 0)


def test_the_offset_is_a_number_in_v1_and_counts_rows_in_v2() -> None:
    assert parse_feed_query("offset=7&limit=3", 1) == FeedRequest(after=7, limit=3)
    assert parse_feed_query("offset=7&limit=3", 2) == FeedRequest(skip=7, limit=3)


@pytest.mark.parametrize(("api_version", "most"), [(1, 100), (2, 200)])
def test_limits(api_version: int, most: int) -> None:
    assert parse_feed_query("limit=1", api_version).limit == 1
    assert parse_feed_query(f"limit={most}", api_version).limit == most
    for limit in ("0", "-1", str(most + 1), "blah", "", "1.0", "1e1", "92233720368547758070", "٣"):
        assert refusal(f"limit={quote(limit)}", api_version) == LIMITS[api_version]


@pytest.mark.parametrize("api_version", [1, 2])
@pytest.mark.parametrize("offset", ["-1", "blah", "", "0.5", "92233720368547758070"])
def test_offsets_that_are_none(offset: str, api_version: int) -> None:
    assert refusal(f"offset={offset}", api_version) == OFFSET


def test_a_window_of_time() -> None:
    asked = parse_feed_query("startTime=2024-02-29T12:00:00Z&endTime=2024-02-29T14:00:01%2B02:00", 2)
    assert (asked.start, asked.end) == (NOON, NOON + 1_000_000)
    assert parse_feed_query("endTime=2024-02-29T12:00:00Z", 2) == FeedRequest(limit=100, end=NOON)


@pytest.mark.parametrize("plus", ["+", "%2B", "%2b", "%20"])
def test_a_plus_is_one_encoded_or_not(plus: str) -> None:
    assert parse_feed_query(f"startTime=2024-02-29T14:00:00.0000000{plus}02:00", 2).start == NOON


@pytest.mark.parametrize("name", ["StartTime", "EndTime"])
@pytest.mark.parametrize("moment", ["foo", "2024-02-29T12:00:00", "2024-02-29", "2024-02-29T12:00:00+101:00"])
def test_moments_that_are_none(name: str, moment: str) -> None:
    assert refusal(f"{name}={quote(moment)}") == MOMENT.format(name)


@pytest.mark.parametrize("blank", ["", "%20", "%09"])
def test_an_empty_moment_is_as_good_as_none(blank: str) -> None:
    assert parse_feed_query(f"startTime={blank}&endTime={blank}", 2) == FeedRequest(limit=100)


@pytest.mark.parametrize("end", ["2024-02-29T12:00:00Z", "2024-02-29T11:59:59Z", "2024-02-29T12:00:00%2B01:00"])
def test_a_window_ends_after_it_starts(end: str) -> None:
    assert refusal(f"startTime=2024-02-29T12:00:00Z&endTime={end}") == BACKWARDS


def test_v1_knows_no_window() -> None:
    assert parse_feed_query("startTime=foo&endTime=bar", 1) == FeedRequest(limit=10)


@pytest.mark.parametrize(("value", "expected"), [("true", True), ("True", True), ("FALSE", False), (" false ", False)])
def test_metadata_or_not(value: str, expected: bool) -> None:
    for asked in (
        parse_feed_query(f"includeMetadata={quote(value)}", 1),
        parse_latest_query(f"includeMetadata={value}"),
    ):
        assert asked.with_metadata is expected


@pytest.mark.parametrize("value", ["0", "1", "true-ish", "boolean", "asdf", ""])
def test_words_that_are_neither_true_nor_false(value: str) -> None:
    assert refusal(f"includeMetadata={value}") == METADATA
    with pytest.raises(BadRequest, match="IncludeMetadata"):
        parse_latest_query(f"includeMetadata={value}")


def test_names_are_read_in_any_letter_case() -> None:
    raw = "OFFSET=1&Limit=2&STARTTIME=2024-02-29T12:00:00Z&endtime=2024-02-29T12:00:01Z&includemetadata=false&Wait=5"
    assert parse_feed_query(raw, 2) == FeedRequest(
        skip=1, limit=2, start=NOON, end=NOON + 1_000_000, with_metadata=False, wait=5
    )


def test_the_first_of_a_repeated_parameter_counts_and_unknown_ones_do_not() -> None:
    assert parse_feed_query("limit=5&LIMIT=x&limit=7&PatientName=A&foo", 2) == FeedRequest(limit=5)


def test_filters() -> None:
    raw = "partition=ward-7&study=1.2.3%00&action=delete,Create"
    filters = {"partition": "ward-7", "study": "1.2.3", "actions": ("Create", "Delete")}
    assert parse_feed_query(raw, 1) == FeedRequest(limit=10, **filters)  # type: ignore[arg-type]
    assert parse_latest_query(raw) == FeedRequest(**filters)  # type: ignore[arg-type]


def test_the_actions_are_those_of_the_feed() -> None:
    assert set(ACTIONS.values()) == {action.value for action in Action}
    assert parse_feed_query("action=UPDATE", 2).actions == ("Update",)
    assert parse_feed_query("action=update,%20update", 2).actions == ("Update",)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("partition=", PARTITION),
        ("partition=a%20b", PARTITION),
        (f"partition={'a' * 65}", PARTITION),
        ("study=", STUDY),
        ("study=1.2.x", STUDY),
        ("study=1.2.", STUDY),
        ("action=", ACTION),
        ("action=create,", ACTION),
        ("action=created", ACTION),
    ],
)
def test_filters_that_are_none(raw: str, why: str) -> None:
    assert refusal(raw, 1) == refusal(raw, 2) == why
    with pytest.raises(BadRequest) as caught:
        parse_latest_query(raw)
    assert caught.value.detail == why


@pytest.mark.parametrize(("value", "seconds"), [("0", 0), ("0.25", 0.25), ("5", 5), ("60", 60), ("60.000", 60)])
def test_waiting(value: str, seconds: float) -> None:
    assert parse_feed_query(f"wait={value}", 1).wait == seconds


@pytest.mark.parametrize("value", ["", "-1", "60.1", "61", "1e1", "inf", "nan", "1,5", "true", "0x1", ".5"])
def test_waiting_that_is_none(value: str) -> None:
    assert refusal(f"wait={value}") == WAIT


def test_what_the_latest_entry_has_no_use_for_is_passed_over() -> None:
    assert parse_latest_query("limit=0&offset=-1&startTime=foo&wait=99") == FeedRequest()


def test_the_query_string_is_utf8() -> None:
    assert refusal("study=%ff") == "The query string is not percent-encoded UTF-8."
