"""The JSON of single values, by VR."""

from base64 import b64encode
from struct import pack
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dicom.charsets import DEFAULT_CHARSET, charset_of
from shared.dicom.values import LONG_FORM, LONGEST_REMEMBERED, MOST_REMEMBERED, Element, decoders


def decode(vr: str, raw: bytes, term: str = "", little_endian: bool = True) -> Element:
    table = decoders(little_endian, charset_of(term))
    return table.long[vr.encode()](raw) if vr.encode() in LONG_FORM else table.short[vr.encode()][raw]


def values(vr: str, raw: bytes, term: str = "", little_endian: bool = True) -> Any:
    return decode(vr, raw, term, little_endian).get("Value")


ALL_VRS = sorted(code.decode() for table in [decoders(True, DEFAULT_CHARSET)] for code in table.short | table.long)


@pytest.mark.parametrize("vr", ALL_VRS)
def test_an_empty_value_has_a_vr_and_nothing_else(vr: str) -> None:
    assert decode(vr, b"") == {"vr": vr}


@pytest.mark.parametrize("vr", sorted({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM"}))
@pytest.mark.parametrize("padding", [b"  ", b"\0", b" \0"])
def test_padding_alone_is_no_value(vr: str, padding: bytes) -> None:
    assert decode(vr, padding) == {"vr": vr}


@pytest.mark.parametrize(
    ("vr", "raw", "expected"),
    [
        ("AE", b" STORE ", ["STORE"]),
        ("CS", b" ORIGINAL\\PRIMARY ", ["ORIGINAL", "PRIMARY"]),
        ("DA", b"20200131", ["20200131"]),
        ("LO", b" A \\ B\0", ["A", "B"]),
        ("LO", b"A\\\\B", ["A", None, "B"]),
        ("LO", b"\\", [None, None]),
        ("LO", b"A\0B", ["A\0B"]),
        ("LT", b" two\\one\r\n ", [" two\\one\r\n"]),
        ("SH", b"\xe9t\xe9", ["été"]),
        ("ST", b" A\\B ", [" A\\B"]),
        ("TM", b"101010.5 ", ["101010.5"]),
        ("UC", b" A\\B ", [" A", "B"]),
        ("UI", b" 1.2.3\0", ["1.2.3"]),
        ("UI", b"1.2\\3.4 ", ["1.2", "3.4"]),
        ("UR", b"https://a/b\\c ", ["https://a/b\\c"]),
        ("UT", b"A\\B\0", ["A\\B"]),
    ],
)
def test_strings(vr: str, raw: bytes, expected: list[str | None]) -> None:
    assert values(vr, raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"DOE^JOHN ", [{"Alphabetic": "DOE^JOHN"}]),
        (b"DOE^J \\ROE", [{"Alphabetic": "DOE^J"}, {"Alphabetic": "ROE"}]),
        (b"A==C ", [{"Alphabetic": "A", "Phonetic": "C"}]),
        (b"=B", [{"Ideographic": "B"}]),
        (b"A\\\\B", [{"Alphabetic": "A"}, None, {"Alphabetic": "B"}]),
        (b"A=B=C=D", [{"Alphabetic": "A", "Ideographic": "B", "Phonetic": "C=D"}]),
        (b"A=B=C= ", [{"Alphabetic": "A", "Ideographic": "B", "Phonetic": "C"}]),
        (b"===", None),
    ],
)
def test_names(raw: bytes, expected: Any) -> None:
    assert values("PN", raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"12 ", [12]),
        (b" -7", [-7]),
        (b"+5\\ 6 \\7", [5, 6, 7]),
        (b"1\\\\3", [1, None, 3]),
        (b"1.0", ["1.0"]),
        (b"1_000", ["1_000"]),
        (b"--1", ["--1"]),
        (b"9" * 18, [10**18 - 1]),
        (b"9" * 30, ["9" * 30]),
        (b"twelve", ["twelve"]),
        (b"\xb2", ["²"]),
    ],
)
def test_integer_strings_are_numbers_if_they_can(raw: bytes, expected: list[Any]) -> None:
    found = values("IS", raw)
    assert found == expected
    assert [type(value) for value in found] == [type(value) for value in expected]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"1.50", [1.5]),
        (b"5 ", [5]),
        (b"-0.5\\1\\2.25", [-0.5, 1.0, 2.25]),
        (b"1\\2\\3", [1, 2, 3]),
        (b"1E3", [1000.0]),
        (b"1.5\\\\x", [1.5, None, "x"]),
        (b".5", [0.5]),
        (b"1e999", ["1e999"]),
        (b"1.5\\1e999", [1.5, "1e999"]),
        (b"nan", ["nan"]),
        (b"inf\\-inf", ["inf", "-inf"]),
        (b"1.5.2", ["1.5.2"]),
        (b"9" * 30, [1e30]),
        (b"1e308\\1.5e308", [1e308, 1.5e308]),
    ],
)
def test_decimal_strings_are_numbers_if_they_can(raw: bytes, expected: list[Any]) -> None:
    found = values("DS", raw)
    assert found == expected
    assert [type(value) for value in found] == [type(value) for value in expected]


@pytest.mark.parametrize("little_endian", [True, False])
@pytest.mark.parametrize(
    ("vr", "code", "numbers"),
    [
        ("FD", "d", [0.1, -1e300]),
        ("SL", "i", [-(2**31), 2**31 - 1]),
        ("SS", "h", [-1, 2]),
        ("SV", "q", [-(2**63)]),
        ("UL", "I", [2**32 - 1]),
        ("US", "H", [1, 2, 65535]),
        ("UV", "Q", [2**64 - 1, 0]),
    ],
)
def test_binary_numbers(vr: str, code: str, numbers: list[Any], little_endian: bool) -> None:
    raw = pack(f"{'<' if little_endian else '>'}{len(numbers)}{code}", *numbers)
    assert values(vr, raw, little_endian=little_endian) == numbers


@pytest.mark.parametrize("vr", ["AT", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"])
def test_numbers_that_do_not_come_out_even_are_unknown_bytes(vr: str) -> None:
    assert decode(vr, b"\1\2\3") == {"vr": "UN", "InlineBinary": "AQID"}


@given(st.floats(width=32))
def test_single_floats_come_back_exactly_with_few_digits(number: float) -> None:
    (found,) = values("FL", pack("<f", number))
    if isinstance(found, str):
        assert found in ("NaN", "Infinity", "-Infinity")
        assert str(float(found)) == str(number)
        return
    assert pack("<f", found) == pack("<f", number)
    assert len(repr(found).lstrip("-").split("e")[0].replace(".", "").strip("0")) <= 9


def test_a_single_float_is_not_given_the_digits_of_a_double() -> None:
    assert values("FL", pack("<3f", 0.1, 16777215.0, 3.4028234663852886e38)) == [0.1, 16777215.0, 3.4028235e38]


@pytest.mark.parametrize(("vr", "code"), [("FL", "f"), ("FD", "d")])
def test_numbers_that_json_lacks_are_named(vr: str, code: str) -> None:
    raw = pack(f"<4{code}", float("nan"), float("inf"), float("-inf"), 1.5)
    assert values(vr, raw) == ["NaN", "Infinity", "-Infinity", 1.5]


@pytest.mark.parametrize("little_endian", [True, False])
def test_tags(little_endian: bool) -> None:
    raw = pack("<4H" if little_endian else ">4H", 0x0020, 0x000D, 0x7FE0, 0x0010)
    assert values("AT", raw, little_endian=little_endian) == ["0020000D", "7FE00010"]


@pytest.mark.parametrize(("vr", "size"), [("OB", 1), ("UN", 1), ("OW", 2), ("OF", 4), ("OL", 4), ("OD", 8), ("OV", 8)])
def test_binary_is_base64_of_little_endian_words(vr: str, size: int) -> None:
    raw = bytes(range(16))
    swapped = b"".join(raw[at : at + size][::-1] for at in range(0, 16, size))
    assert decode(vr, raw)["InlineBinary"] == b64encode(raw).decode()
    assert decode(vr, raw, little_endian=False)["InlineBinary"] == b64encode(swapped).decode()
    assert decode(vr, raw[:3], little_endian=False)["InlineBinary"] == b64encode(raw[:3]).decode()


@given(st.sampled_from(ALL_VRS), st.binary(max_size=64), st.sampled_from(["", "ISO_IR 192", "ISO_IR 13", "GB18030"]))
def test_any_bytes_give_json(vr: str, raw: bytes, term: str) -> None:
    assert orjson.loads(orjson.dumps(decode(vr, raw, term))) == decode(vr, raw, term)


def test_what_is_remembered_is_bounded() -> None:
    table = decoders(True, DEFAULT_CHARSET).short[b"LO"]
    for number in range(3 * MOST_REMEMBERED):
        assert table[str(number).encode()] == {"vr": "LO", "Value": [str(number)]}
        assert len(table) <= MOST_REMEMBERED
    long = b"x" * (LONGEST_REMEMBERED + 1)
    assert table[long]["Value"] == [long.decode()]
    assert long not in table
