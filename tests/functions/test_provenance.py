"""Where requests come from, as their headers tell."""

import re

import pytest

from functions.provenance import LONGEST_REMARK, MOST_REMARKS, Provenance, provenance

NEW = re.compile(r"[0-9a-f]{32}")
TRACE = "0af7651916cd43dd8448eb211c80319c"
REMARK = "x-ms-azuredicom-audit-"


def of(headers: dict[str, str] | list[tuple[str, str]], proxies: int = 0) -> Provenance:
    pairs = headers.items() if isinstance(headers, dict) else headers
    raw = [(name.encode(), value.encode("latin-1")) for name, value in pairs]
    return provenance({"type": "http", "headers": raw, "client": ("192.0.2.1", 5000)}, proxies)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-request-id": "a-1"}, "a-1"),
        ({"x-ms-request-id": "b_2"}, "b_2"),
        ({"x-request-id": "a-1", "x-ms-request-id": "b_2"}, "b_2"),
        ({"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}, TRACE),
        ({"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "x-request-id": "a-1"}, "a-1"),
        ({"x-ms-request-id": "not well formed", "x-request-id": "a-1"}, "a-1"),
        ({"x-request-id": "x" * 64}, "x" * 64),
        ({"x-request-id": "6f9619ff-8b86-d011-b42d-00cf4fc964ff"}, "6f9619ff-8b86-d011-b42d-00cf4fc964ff"),
    ],
)
def test_the_id_that_the_client_gave_is_kept(headers: dict[str, str], expected: str) -> None:
    assert of(headers).correlation == expected


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-request-id": ""},
        {"x-request-id": "x" * 65},
        {"x-request-id": "Doe^John"},
        {"x-request-id": "a b"},
        {"x-request-id": "é"},
        {"x-request-id": '"}'},
        {"traceparent": f"00-{'0' * 32}-b7ad6b7169203331-01"},
        {"traceparent": f"00-{TRACE.upper()}-b7ad6b7169203331-01"},
        {"traceparent": TRACE},
    ],
)
def test_a_request_without_a_good_id_gets_one(headers: dict[str, str]) -> None:
    first, second = of(headers).correlation, of(headers).correlation
    assert NEW.fullmatch(first)
    assert NEW.fullmatch(second)
    assert first != second


@pytest.mark.parametrize(
    ("noted", "proxies", "expected"),
    [
        ("203.0.113.9", 0, "192.0.2.1"),
        ("203.0.113.9", 1, "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9", 1, "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9,10.0.0.1", 2, "203.0.113.9"),
        ("203.0.113.9", 3, "203.0.113.9"),
        ("203.0.113.9:4711", 1, "203.0.113.9"),
        ("[2001:db8::1]:4711", 1, "2001:db8::1"),
        ("[2001:db8::1]", 1, "2001:db8::1"),
        ("2001:0db8::0001", 1, "2001:db8::1"),
        ("unknown", 1, "192.0.2.1"),
        ("Doe^John", 1, "192.0.2.1"),
        ("", 1, "192.0.2.1"),
    ],
)
def test_the_client_is_whom_a_proxy_of_ours_saw(noted: str, proxies: int, expected: str) -> None:
    assert of({"x-forwarded-for": noted}, proxies).client == expected


def test_a_header_that_is_repeated_is_one_list() -> None:
    headers = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "203.0.113.9")]
    assert of(headers, 1).client == "203.0.113.9"


def test_a_connection_without_an_address() -> None:
    assert provenance({"type": "http", "headers": [], "client": None}, 0).client is None


def test_remarks() -> None:
    found = of({f"{REMARK}reason": "second opinion", f"{REMARK}site": "B", "x-ms-azuredicom-other": "no"})
    assert found.remarks == {"reason": "second opinion", "site": "B"}


@pytest.mark.parametrize(
    ("headers", "few"),
    [
        ({f"{REMARK}{number}": "x" for number in range(MOST_REMARKS)}, True),
        ({f"{REMARK}{number}": "x" for number in range(MOST_REMARKS + 1)}, False),
        ({f"{REMARK}a": "x" * LONGEST_REMARK}, True),
        ({f"{REMARK}a": "x" * (LONGEST_REMARK + 1)}, False),
    ],
)
def test_there_is_a_limit_to_remarks(headers: dict[str, str], few: bool) -> None:
    assert (of(headers).remarks is not None) is few
