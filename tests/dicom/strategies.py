"""Generated data sets: trees of elements, written in any encoding, with raw values that may be odd."""

from dataclasses import dataclass
from struct import pack
from typing import Any, TypeAlias

from hypothesis import strategies as st
from pydicom.charset import convert_encodings, encode_string
from pydicom.datadict import DicomDictionary

from shared.dicom.transfer_syntax import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from tests.dicom.building import LONG, UNDEFINED, deflate, part10, tag_bytes

SYNTAXES = (
    IMPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
)

LATIN = "abcXYZ 019.-"
CHARSETS: dict[tuple[str, ...], str] = {
    (): LATIN,
    ("ISO_IR 6",): LATIN,
    ("ISO_IR 192",): LATIN + "äЖ山김ก😀",
    ("GB18030",): LATIN + "王小东誠丂",
    ("GBK",): LATIN + "王小东",
    ("ISO_IR 13",): LATIN + "ﾔﾏﾀﾞﾛｳ",
    **{
        (term,): LATIN + bytes(range(0xA1, 0xFF)).decode(codec, "ignore")
        for term, codec in {
            "ISO_IR 100": "latin_1",
            "ISO_IR 101": "iso8859_2",
            "ISO_IR 109": "iso8859_3",
            "ISO_IR 110": "iso8859_4",
            "ISO_IR 126": "iso8859_7",
            "ISO_IR 127": "iso8859_6",
            "ISO_IR 138": "iso8859_8",
            "ISO_IR 144": "iso8859_5",
            "ISO_IR 148": "iso8859_9",
            "ISO_IR 166": "iso8859_11",
        }.items()
    },
    ("", "ISO 2022 IR 87"): LATIN + "山田太郎",
    ("", "ISO 2022 IR 159"): LATIN + "丂丄丅",
    ("ISO 2022 IR 13", "ISO 2022 IR 87"): LATIN + "ﾔﾏﾀﾞ山田太郎",
    ("", "ISO 2022 IR 149"): LATIN + "김희중",
    ("ISO 2022 IR 149",): LATIN + "김희중",
    ("ISO 2022 IR 100", "ISO 2022 IR 144", "ISO 2022 IR 126"): LATIN + "äöЖдΑω",
    ("ISO 2022 IR 100", "ISO 2022 IR 87"): LATIN + "äöé山田",
}
"""Terms of Specific Character Set, with letters that they can say."""

EXTENDED = {"LO", "LT", "PN", "SH", "ST", "UC", "UT"}
SINGLE = {"LT", "ST", "UT", "UR"}
WORDS = {"FD": 8, "FL": 4, "SL": 4, "SS": 2, "SV": 8, "UL": 4, "US": 2, "UV": 8}

NEEDS_MORE = {0x00189810, 0x00221452, 0x00283006, 0x00281200}
LEFT_OPEN = {0x00280071, 0x00281100, 0x00281111, 0x00281112, 0x00281113}
"""Retired choices of US and SS that pydicom does not resolve."""
"""Attributes whose implicit VR depends on what comes later, or on more than pydicom looks at."""
TAGS_BY_VR: dict[str, list[int]] = {}
for _tag, (_vr, *_) in DicomDictionary.items():
    if _tag >> 16 not in (0, 2, 0xFFFE, 0x7FE0, 0x5400) and _tag not in NEEDS_MORE | LEFT_OPEN and _tag != 0x00080005:
        TAGS_BY_VR.setdefault(_vr, []).append(_tag)
TAGS_BY_VR = {vr: tags for vr, tags in TAGS_BY_VR.items() if len(vr) == 2 or vr == "US or SS"}


@dataclass(frozen=True)
class Leaf:
    tag: int
    vr: str
    value: bytes


@dataclass(frozen=True)
class Branch:
    tag: int
    items: tuple["Tree", ...]
    undefined: bool
    undefined_items: bool


Tree: TypeAlias = tuple[Leaf | Branch, ...]

printable = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12)
numbers = st.one_of(
    st.integers(-(10**19), 10**19).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["", " 1 ", "+5", "-0", "1.", ".5", "1e5", "1E-3", "1e999", "nan", "1_0", "x", "--1", "1 2"]),
)
integers = st.one_of(
    st.integers(-(10**19), 10**19).map(str), st.sampled_from(["", " 1 ", "+5", "-0", "1_0", "x", "--1", "1 2"])
)


@st.composite
def encoded_texts(draw: st.DrawFn, charset: tuple[str, ...]) -> bytes:
    text = draw(st.text(CHARSETS[charset], max_size=8))
    codecs = convert_encodings(list(charset))
    return text.encode(codecs[0]) if len(codecs) == 1 else encode_string(text, codecs)


@st.composite
def raw_values(draw: st.DrawFn, vr: str, charset: tuple[str, ...]) -> bytes:
    """The bytes of a value, not always well formed and not always of even length."""
    if vr in WORDS:
        count = draw(st.integers(0, 3)) * WORDS[vr] + draw(st.sampled_from([0] * 9 + [1]))
        return draw(st.binary(min_size=count, max_size=count))
    if vr == "AT":
        return b"".join(draw(st.lists(st.binary(min_size=4, max_size=4), max_size=3)))
    if vr in ("OB", "OD", "OF", "OL", "OV", "OW", "UN"):
        return draw(st.one_of(printable.map(str.encode), st.sampled_from([1016, 1024, 1032]).map(bytes)))
    if vr in EXTENDED:
        separators = {"PN": b"^=\\"}.get(vr, b" " if vr in SINGLE else b"\\")
        value = draw(st.lists(encoded_texts(charset), max_size=4).flatmap(lambda texts: _joined(texts, separators)))
    elif vr == "DS":
        value = "\\".join(draw(st.lists(numbers, max_size=4))).encode()
    elif vr == "IS":
        value = "\\".join(draw(st.lists(integers, max_size=4))).encode()
    else:
        value = draw(printable).encode()
    return value + draw(st.sampled_from([b"", b"", b" ", b"\0", b"  "]))


def _joined(texts: list[bytes], separators: bytes) -> st.SearchStrategy[bytes]:
    """Texts with a separator behind each; only one with code extensions, whose end pydicom does not see there."""
    extended = [text for text in texts if b"\x1b" in text]
    if extended:
        return st.just(extended[0])
    chosen = st.lists(st.sampled_from(separators), min_size=len(texts), max_size=len(texts))
    return chosen.map(lambda found: b"".join(text + bytes([mark]) for text, mark in zip(texts, found, strict=True)))


@st.composite
def trees(draw: st.DrawFn, charset: tuple[str, ...], depth: int = 2) -> Tree:
    """Elements in ascending order, each item perhaps with a character set of its own."""
    nodes: dict[int, Leaf | Branch] = {}
    own = draw(st.sampled_from([None, None, *CHARSETS]))
    if own is not None:
        charset = own
        value = "\\".join(own).encode()
        nodes[0x00080005] = Leaf(0x00080005, "CS", value)
    for vr in draw(st.lists(st.sampled_from(sorted(TAGS_BY_VR)), max_size=6)):
        tag = draw(st.sampled_from(TAGS_BY_VR[vr]))
        if vr != "SQ":
            nodes[tag] = Leaf(tag, *draw(_stated(tag, vr, charset)))
        elif depth:
            items = draw(st.lists(trees(charset, depth - 1), max_size=2))
            nodes[tag] = Branch(tag, tuple(items), draw(st.booleans()), draw(st.booleans()))
    nodes |= draw(_private_blocks())
    return tuple(nodes[tag] for tag in sorted(nodes))


@st.composite
def _stated(draw: st.DrawFn, tag: int, vr: str, charset: tuple[str, ...]) -> tuple[str, bytes]:
    if tag == 0x00280103:
        return "US", pack("<H", draw(st.integers(0, 1)))
    vr = "US" if vr == "US or SS" else vr
    value = draw(raw_values(vr, charset))
    return draw(st.sampled_from([vr] * 5 + ["UN"])), value


@st.composite
def _private_blocks(draw: st.DrawFn) -> dict[int, Leaf]:
    """With letters as values, which pydicom reads as text if the dictionary takes them for numbers."""
    group = draw(st.sampled_from([0x0019, 0x0029, 0x0043]))
    creator = draw(st.sampled_from(["", "SIEMENS MED", "GEMS_PARM_01", "NOBODY", "SIEMENS CSA HEADER"]))
    if not creator:
        return {}
    leaves = {group << 16 | 0x10: Leaf(group << 16 | 0x10, "LO", creator.encode())}
    for element in draw(st.lists(st.sampled_from([0x1001, 0x1008, 0x1010, 0x1060, 0x2001]), max_size=3)):
        value = draw(st.text("abcXYZ ", min_size=1, max_size=9)).encode()
        leaves[group << 16 | element] = Leaf(group << 16 | element, draw(st.sampled_from(["LO", "UN", "OB"])), value)
    return leaves


def written(tree: Tree, syntax: str) -> list[bytes]:
    """The bytes of each element of a tree."""
    return [_written_node(node, syntax) for node in tree]


def as_file(tree: Tree, syntax: str) -> bytes:
    dataset = b"".join(written(tree, syntax))
    return part10(deflate(dataset) if syntax == DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN else dataset, syntax)


def _written_node(node: Leaf | Branch, syntax: str) -> bytes:
    if isinstance(node, Leaf):
        return _header(node.tag, node.vr, len(node.value), syntax) + node.value
    content = b"".join(_written_item(item, node.undefined_items, syntax) for item in node.items)
    if node.undefined:
        return _header(node.tag, "SQ", UNDEFINED, syntax) + content + _delimiter(0xFFFEE0DD, 0, syntax)
    return _header(node.tag, "SQ", len(content), syntax) + content


def _written_item(item: Tree, undefined: bool, syntax: str) -> bytes:
    content = b"".join(written(item, syntax))
    if undefined:
        return _delimiter(0xFFFEE000, UNDEFINED, syntax) + content + _delimiter(0xFFFEE00D, 0, syntax)
    return _delimiter(0xFFFEE000, len(content), syntax) + content


def _delimiter(tag: int, length: int, syntax: str) -> bytes:
    order = _order(syntax)
    return tag_bytes(tag, order) + pack(f"{order}I", length)


def _header(tag: int, vr: str, length: int, syntax: str) -> bytes:
    order = _order(syntax)
    if syntax == IMPLICIT_VR_LITTLE_ENDIAN:
        return tag_bytes(tag) + pack("<I", length)
    parts: tuple[Any, ...] = (vr.encode(), 0, length) if vr in LONG else (vr.encode(), length)
    return tag_bytes(tag, order) + pack(f"{order}2sHI" if vr in LONG else f"{order}2sH", *parts)


def _order(syntax: str) -> str:
    return ">" if syntax == EXPLICIT_VR_BIG_ENDIAN else "<"
