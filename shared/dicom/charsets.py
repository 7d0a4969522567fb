"""Text in the character sets of DICOM, to Unicode (PS3.5 6.1, PS3.3 C.12.1.1.2)."""

import re
from functools import lru_cache
from typing import Final

ESCAPE: Final = 0x1B

_SINGLE_BYTE: Final = {
    "13": "shift_jis",
    "100": "latin_1",
    "101": "iso8859_2",
    "109": "iso8859_3",
    "110": "iso8859_4",
    "126": "iso_ir_126",
    "127": "iso_ir_127",
    "138": "iso_ir_138",
    "144": "iso_ir_144",
    "148": "iso_ir_148",
    "166": "iso_ir_166",
}
"""Codec by registration number, with code extensions and without (PS3.3 tables C.12-2 and C.12-3)."""
_MULTI_BYTE: Final = {"58": "iso_ir_58", "87": "iso2022_jp", "149": "euc_kr", "159": "iso2022_jp_2"}
"""With code extensions only (table C.12-4)."""
_DESIGNATED: Final = {
    b"\x1b(B": "iso8859",
    b"\x1b-A": "latin_1",
    b"\x1b)I": "shift_jis",
    b"\x1b(J": "shift_jis",
    b"\x1b$B": "iso2022_jp",
    b"\x1b-B": "iso8859_2",
    b"\x1b-C": "iso8859_3",
    b"\x1b-D": "iso8859_4",
    b"\x1b-F": "iso_ir_126",
    b"\x1b-G": "iso_ir_127",
    b"\x1b-H": "iso_ir_138",
    b"\x1b-L": "iso_ir_144",
    b"\x1b-M": "iso_ir_148",
    b"\x1b-T": "iso_ir_166",
    b"\x1b$)C": "euc_kr",
    b"\x1b$(D": "iso2022_jp_2",
    b"\x1b$)A": "iso_ir_58",
}
"""Codec by the escape sequence that designates the code element (tables C.12-3 and C.12-4)."""


def _folded(term: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", term.upper())


_DEFAULT: Final = "latin-1"  # not the "latin_1" of ISO_IR 100
_CODECS: Final = {
    **{f"ISO8859{part}": f"iso8859_{part}" for part in (*range(1, 12), *range(13, 17))},
    **{f"{prefix}{number}": codec for prefix in ("ISOIR", "ISO2022IR") for number, codec in _SINGLE_BYTE.items()},
    **{f"ISO2022IR{number}": codec for number, codec in _MULTI_BYTE.items()},
    "GB18030": "GB18030",
    "GBK": "GBK",
    "ISO2022GBK": "GBK",
    "ISO202258": "GB2312",
    **dict.fromkeys(("", "ISOIR6", "ISO2022IR6"), _DEFAULT),
    **dict.fromkeys(("ISOIR192", "ISO2022IR192", "UTF8"), "utf-8"),
}
"""Codec by defined term without spaces, underscores and hyphens, which writers mix up. The default
repertoire is read as Latin-1: it has ISO 646 in it, and what else is found there is mostly that."""

_STAND_ALONE: Final = frozenset(("utf-8", "GB18030", "GBK"))
"""Codecs of what takes no code extensions (table C.12-5)."""

_G0_MULTI_BYTE: Final = {b"\x1b$B": "iso2022_jp", b"\x1b$(D": "iso2022_jp_2"}
_G0_SINGLE_BYTE: Final = frozenset((b"\x1b(B", b"\x1b(J"))

_HALVES: Final = re.compile(rb"[\x00-\x7f]+|[\x80-\xff]+")


def _breaks(delimiters: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"(%b|[%b])" % (b"|".join(map(re.escape, _DESIGNATED)), delimiters))


TEXT_BREAKS: Final = _breaks(rb"\t\n\f\r")
STRING_BREAKS: Final = _breaks(rb"\t\n\f\r\\")
NAME_BREAKS: Final = _breaks(rb"\t\n\f\r\\^=")
"""Escape sequences and the delimiters that end their effect (PS3.5 6.1.2.5.3): in ST, LT and UT; in SH, LO
and UC; in PN."""


class Charset:
    """How the text of a data set is decoded.

    ``codec`` is the Python codec of what stands before any escape sequence. ``has_g1`` is false for the
    default repertoire, which defines no bytes above 0x7F.
    """

    __slots__ = ("code_extensions", "codec", "has_g1")

    def __init__(self, codec: str, has_g1: bool = True) -> None:
        self.codec = codec
        self.has_g1 = has_g1
        self.code_extensions = codec not in _STAND_ALONE

    def decode(self, raw: bytes, breaks: re.Pattern[bytes]) -> str:
        """The text of a value. Never raises: bytes without a meaning become U+FFFD."""
        if ESCAPE in raw and self.code_extensions:
            return self._extended(breaks.split(raw))
        return raw.decode(self.codec, "replace")

    def _extended(self, parts: list[bytes]) -> str:
        """ISO/IEC 2022: G0 gives bytes below 0x80 their meaning, G1 those above (PS3.5 6.1.2.5).

        ``parts`` are runs of text with an escape sequence or delimiter between each two. A delimiter brings
        back the initial state; where that has no G1, the last one stays, as writers often do not repeat it.
        A new G1 ends a multi-byte G0, which other writers leave without saying so.
        """
        g0: bytes | None = None
        g1 = self.codec
        run = parts[0]
        text = []
        for code, part in zip(parts[1::2], parts[2::2], strict=True):
            if g0 and code >= b" ":
                run += code + part
                continue
            text.append(_decode_run(run, g0, g1))
            run = part
            if code in _G0_MULTI_BYTE:
                g0 = code
            elif code in _G0_SINGLE_BYTE:
                g0 = None
            elif code in _DESIGNATED:
                g0 = None
                g1 = _DESIGNATED[code]
            else:
                run = code + part
                g0 = None
                g1 = self.codec if self.has_g1 else g1
        return "".join([*text, _decode_run(run, g0, g1)])


def _decode_run(run: bytes, g0: bytes | None, g1: str) -> str:
    if g0 is None:
        return run.decode(g1, "replace")
    return "".join(
        part.decode(g1, "replace") if part >= b"\x80" else (g0 + part).decode(_G0_MULTI_BYTE[g0], "replace")
        for part in _HALVES.findall(run)
    )


DEFAULT_CHARSET: Final = Charset(_DEFAULT, has_g1=False)
_CHARSETS: Final = {codec: Charset(codec) for codec in _CODECS.values()} | {_DEFAULT: DEFAULT_CHARSET}


@lru_cache(maxsize=64)
def charset_of(term: str) -> Charset:
    """The character set that the first value of Specific Character Set (0008,0005) names.

    Further values only announce escape sequences, which say themselves what they designate. A term that
    is not known means the default.
    """
    return _CHARSETS[_CODECS.get(_folded(term[:32]), _DEFAULT)]
