"""Text in every character set of DICOM."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.charset import python_encoding

from shared.dicom.charsets import (
    DEFAULT_CHARSET,
    NAME_BREAKS,
    STRING_BREAKS,
    TEXT_BREAKS,
    charset_of,
)

EVERY_BREAK = (TEXT_BREAKS, STRING_BREAKS, NAME_BREAKS)

EXAMPLES = [
    # PS3.5 annexes H, I, J and K
    ("ISO_IR 13", b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
    ("", b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B", "Yamada^Tarou=山田^太郎=やまだ"),
    ("ISO 2022 IR 13", b"\xd4\xcf\xc0\xde=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J", "ﾔﾏﾀﾞ=山田^太郎"),
    ("", b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7", "Hong^Gildong=洪^吉洞"),
    ("", b"Zhang=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab", "Zhang=张^小东"),
    ("ISO_IR 192", "Wang^XiaoDong=王^小东".encode(), "Wang^XiaoDong=王^小东"),
    ("GB18030", "Wang^XiaoDong=王^小东".encode("gb18030"), "Wang^XiaoDong=王^小东"),
    ("GBK", "王^小东".encode("gbk"), "王^小东"),
    ("ISO_IR 100", b"\xc4neas^R\xfcdiger", "Äneas^Rüdiger"),
    ("ISO_IR 101", "Wałęsa".encode("iso8859_2"), "Wałęsa"),
    ("ISO_IR 109", "Ħĉ".encode("iso8859_3"), "Ħĉ"),
    ("ISO_IR 110", "Ņģ".encode("iso8859_4"), "Ņģ"),
    ("ISO_IR 126", b"\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2", "Διονυσιος"),
    ("ISO_IR 127", "قباني".encode("iso8859_6"), "قباني"),
    ("ISO_IR 138", "שרון".encode("iso8859_8"), "שרון"),
    ("ISO_IR 144", b"\xb6\xb9\xc9", "ЖЙЩ"),
    ("ISO_IR 148", "Çavuşoğlu".encode("iso8859_9"), "Çavuşoğlu"),
    ("ISO_IR 166", "นามสกุล".encode("iso8859_11"), "นามสกุล"),
    ("", b"\x1b$(D0!\x1b(B", "丂"),
]


@pytest.mark.parametrize(("term", "raw", "text"), EXAMPLES)
def test_examples(term: str, raw: bytes, text: str) -> None:
    assert charset_of(term).decode(raw, NAME_BREAKS) == text


@pytest.mark.parametrize("term", sorted(python_encoding))
def test_every_term_of_the_standard_is_known(term: str) -> None:
    assert (charset_of(term) is DEFAULT_CHARSET) == (term in ("", "ISO_IR 6", "ISO 2022 IR 6"))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("ISO-IR 100", "ISO_IR 100"),
        ("ISO IR 192", "ISO_IR 192"),
        ("iso_ir_192", "ISO_IR 192"),
        ("ISO 2022 IR 192", "ISO_IR 192"),
        ("UTF-8", "ISO_IR 192"),
        ("ISO-2022-IR-149", "ISO 2022 IR 149"),
        ("ISO_2022_IR_87", "ISO 2022 IR 87"),
    ],
)
def test_misspelt_terms_mean_what_they_are_like(written: str, meant: str) -> None:
    assert charset_of(written) is charset_of(meant)
    assert charset_of(meant) is not DEFAULT_CHARSET


@pytest.mark.parametrize("term", ["ISO_IR 999", "zlib", "unicode_escape", "idna", "x" * 10_000])
def test_other_terms_mean_the_default(term: str) -> None:
    assert charset_of(term) is DEFAULT_CHARSET


def test_a_backslash_within_a_character_divides_nothing() -> None:
    for term, text in (("ISO_IR 13", "ｱ表示"), ("GB18030", "誠俓")):
        raw = text.encode("shift_jis" if term == "ISO_IR 13" else "gb18030")
        assert b"\\" in raw
        assert charset_of(term).decode(raw, STRING_BREAKS) == text
    assert charset_of("").decode(b"\x1b$B\x30\x5c\x1b(B", STRING_BREAKS) == "移"


@pytest.mark.parametrize(
    ("breaks", "raw", "text"),
    [
        (STRING_BREAKS, b"\x1b-F\xd9\\\xd9", "Ω\\Ù"),
        (TEXT_BREAKS, b"\x1b-F\xd9\\\xd9\r\n\xd9", "Ω\\Ω\r\nÙ"),
        (NAME_BREAKS, b"\x1b-F\xd9^\xd9=\x1b-L\xd9", "Ω^Ù=й"),
    ],
)
def test_delimiters_bring_back_the_first_character_set(breaks: re.Pattern[bytes], raw: bytes, text: str) -> None:
    assert charset_of("ISO 2022 IR 100").decode(raw, breaks) == text


def test_without_a_first_character_set_the_last_one_goes_on() -> None:
    assert DEFAULT_CHARSET.decode(b"\x1b$)C\xb1\xe8^\xc8\xf1\xc1\xdf", NAME_BREAKS) == "김^희중"


def test_bytes_above_7f_stand_beside_kanji() -> None:
    assert charset_of("ISO 2022 IR 13").decode(b"\x1b$B;3\xd4ED\x1b(J\xcf", STRING_BREAKS) == "山ﾔ田ﾏ"


def test_a_new_upper_half_ends_kanji() -> None:
    assert DEFAULT_CHARSET.decode(b"\x1b$B;3\x1b-Aab\xe4", STRING_BREAKS) == "山abä"


@pytest.mark.parametrize("term", ["ISO_IR 192", "GB18030", "GBK"])
def test_escapes_mean_nothing_where_there_are_no_code_extensions(term: str) -> None:
    assert charset_of(term).decode(b"A\x1b-FB", STRING_BREAKS) == "A\x1b-FB"


@given(st.sampled_from(sorted(python_encoding)), st.binary(max_size=40), st.sampled_from(EVERY_BREAK))
def test_nothing_fails_to_decode(term: str, raw: bytes, breaks: re.Pattern[bytes]) -> None:
    text = charset_of(term).decode(raw, breaks)
    assert text.encode("utf-8").decode("utf-8") == text


@given(
    st.lists(st.sampled_from([b"\x1b$B", b"\x1b(B", b"\x1b$)C", b"\x1b-A", b"\x1b", b"\\", b"^", b"0", b"\xb1", b"\n"]))
)
def test_no_mixture_of_escapes_fails_to_decode(parts: list[bytes]) -> None:
    for breaks in EVERY_BREAK:
        assert isinstance(DEFAULT_CHARSET.decode(b"".join(parts), breaks), str)
