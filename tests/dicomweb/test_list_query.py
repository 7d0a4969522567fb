import pytest

from shared.dicomweb.list_query import Paging, chosen, paging, parameters
from shared.errors import BadRequest

WORDS = {"notStarted": 1, "running": 2}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("", Paging(100, 0)),
        ("limit=1&offset=5", Paging(1, 5)),
        ("LIMIT=200&Offset=0", Paging(200, 0)),
        ("limit=%2010%20", Paging(10, 0)),
        ("limit=7&limit=nonsense", Paging(7, 0)),
        ("offset=9223372036854775807&other=%3C", Paging(100, 2**63 - 1)),
    ],
)
def test_pages(raw: str, expected: Paging) -> None:
    assert paging(parameters(raw)) == expected


@pytest.mark.parametrize("value", ["0", "201", "-1", "", "ten", "1.5", "1e2", "9" * 19, "٣"])
def test_limits_out_of_bounds(value: str) -> None:
    with pytest.raises(BadRequest) as caught:
        paging(parameters(f"limit={value}"))
    assert caught.value.detail == ("The query parameter 'Limit' is invalid. The field Limit must be between 1 and 200.")


@pytest.mark.parametrize("value", ["-1", "", "ten", "9223372036854775808", "9" * 30])
def test_offsets_out_of_bounds(value: str) -> None:
    with pytest.raises(BadRequest) as caught:
        paging(parameters(f"offset={value}"))
    assert caught.value.detail == "The query parameter 'Offset' is invalid. The field Offset must be 0 or more."


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("", None), ("status=running", 2), ("STATUS=NOTSTARTED", 1), ("status=running&status=notStarted", 2)],
)
def test_words(raw: str, expected: int | None) -> None:
    assert chosen(parameters(raw), "Status", WORDS) == expected


@pytest.mark.parametrize("value", ["", "walking", "running,notStarted"])
def test_other_words(value: str) -> None:
    with pytest.raises(BadRequest) as caught:
        chosen(parameters(f"status={value}"), "Status", WORDS)
    assert caught.value.detail == (
        "The query parameter 'Status' is invalid. The field Status takes one of notStarted, running."
    )


def test_what_is_no_utf_8() -> None:
    with pytest.raises(BadRequest):
        parameters("limit=%FF")
