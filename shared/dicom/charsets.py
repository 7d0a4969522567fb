"""Text in the character sets of DICOM, to Unicode (PS3.5 6.1, PS3.3 C.12.1.1.2)."""

import re
from functools import cache
from typing import Final

from pydicom.charset import CODES_TO_ENCODINGS, STAND_ALONE_ENCODINGS, python_encoding

ESCAPE: Final = 0x1B


def _folded(term: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", term.upper())


_DEFAULT: Final = "latin-1"
_CODECS: Final = {
    **{f"ISO8859{part}": f"iso8859_{part}" for part in (*range(1, 12), *range(13, 17))},
    **{_folded(term): codec for term, codec in python_encoding.items()},
    **dict.fromkeys(("", "ISOIR6", "ISO2022IR6"), _DEFAULT),
    **dict.fromkeys(("ISOIR192", "ISO2022IR192", "UTF8"), "utf-8"),
}
"""Codec by defined term without spaces, underscores and hyphens, which writers mix up. The default
repertoire is read as Latin-1: it has ISO 646 in it, and what else is found there is mostly that."""

_STAND_ALONE: Final = frozenset(_CODECS[_folded(term)] for term in STAND_ALONE_ENCODINGS)

_G0_MULTI_BYTE: Final = {b"\x1b$B": "iso2022_jp", b"\x1b$(D": "iso2022_jp_2"}
_G0_SINGLE_BYTE: Final = frozenset((b"\x1b(B", b"\x1b(J"))

_ANY_CODE: Final = b"|".join(map(re.escape, CODES_TO_ENCODINGS))
_TEXT_BREAKS: Final = re.compile(rb"(%b|[\t\n\f\r])" % _ANY_CODE)
_NAME_BREAKS: Final = re.compile(rb"(%b|[\t\n\f\r\\^=])" % _ANY_CODE)


class Charset:
    """How the text of a data set is decoded.

    ``codec`` is the Python codec of what stands before any escape sequence. Decoding never raises: bytes
    without a meaning become U+FFFD.
    """

    __slots__ = ("code_extensions", "codec")

    def __init__(self, codec: str) -> None:
        self.codec = codec
        self.code_extensions = codec not in _STAND_ALONE

    def decode(self, raw: bytes) -> str:
        """A value with VR SH, LO, UC, ST, LT or UT."""
        if ESCAPE in raw and self.code_extensions:
            return self._extended(_TEXT_BREAKS.split(raw))
        return raw.decode(self.codec, "replace")

    def decode_name(self, raw: bytes) -> str:
        """A value with VR PN, whose component delimiters end an escape sequence too (PS3.5 6.1.2.5.3)."""
        if ESCAPE in raw and self.code_extensions:
            return self._extended(_NAME_BREAKS.split(raw))
        return raw.decode(self.codec, "replace")

    def _extended(self, parts: list[bytes]) -> str:
        """ISO/IEC 2022: G0 gives bytes below 0x80 their meaning, G1 those above (PS3.5 6.1.2.5).

        ``parts`` are runs of text with an escape sequence or delimiter between each two. A delimiter brings
        back the initial state; where that has no G1, the last one stays, as writers often do not repeat it.
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
            elif code in CODES_TO_ENCODINGS:
                g1 = CODES_TO_ENCODINGS[code]
            else:
                run = code + part
                g0 = None
                g1 = g1 if self.codec == _DEFAULT else self.codec
        return "".join([*text, _decode_run(run, g0, g1)])


def _decode_run(run: bytes, g0: bytes | None, g1: str) -> str:
    if g0:
        return (g0 + run).decode(_G0_MULTI_BYTE[g0], "replace")
    return run.decode(g1, "replace")


@cache
def _charset(codec: str) -> Charset:
    return Charset(codec)


def charset_of(term: str) -> Charset:
    """The character set that the first value of Specific Character Set (0008,0005) names.

    Further values only announce escape sequences, which say themselves what they designate. A term that
    is not known means the default.
    """
    return _charset(_CODECS.get(_folded(term[:32]), _DEFAULT))


DEFAULT_CHARSET: Final = charset_of("")
