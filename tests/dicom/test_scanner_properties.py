"""Whatever data set is generated, the scanner reads what pydicom reads; whatever bytes, it stays in bounds."""

import random
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from time import perf_counter

import orjson
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file

from shared.dicom.layout import decode_layout, encode_layout
from shared.dicom.model import Part10
from shared.dicom.scanner import Scanner, scan
from shared.dicom.transfer_syntax import DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN
from shared.errors import InvalidInstance, TruncatedInstance
from tests.dicom.building import PREAMBLE, file_meta
from tests.dicom.reference import differences, read, reference
from tests.dicom.strategies import SYNTAXES, Tree, as_file, trees, written

many = settings(max_examples=100, deadline=None)

SEEDS = [
    Path(get_testdata_file(name)).read_bytes()
    for name in ("CT_small.dcm", "MR_small_RLE.dcm", "nested_priv_SQ.dcm", "reportsi.dcm", "image_dfl.dcm")
]
TELLING = (
    b"\xff\xff\xff\xff",
    b"\xfe\xff\x00\xe0",
    b"\xfe\xff\x0d\xe0",
    b"\xfe\xff\xdd\xe0",
    b"\xe0\x7f\x10\x00",
    bytes(8),
    b"UN\0\0",
    b"SQ\0\0",
    b"OB\0\0",
)


@pytest.mark.parametrize("syntax", SYNTAXES)
@many
@given(tree=trees(()))
def test_generated_data_sets_are_read_as_pydicom_reads_them(syntax: str, tree: Tree) -> None:
    data = as_file(tree, syntax)
    instance = scan(data)
    oracle = read(data)
    expected = reference(oracle, little_endian=bool(oracle.original_encoding[1]))
    assert differences(instance.dataset, expected.dataset) == []
    assert set(instance.bulk) == set(expected.bulk)
    assert orjson.loads(orjson.dumps(instance.dataset)) == instance.dataset


@pytest.mark.parametrize("syntax", SYNTAXES)
@many
@given(tree=trees(()), seed=st.integers(0, 1000))
def test_chunks_make_no_difference(syntax: str, tree: Tree, seed: int) -> None:
    data = as_file(tree, syntax)
    choice = random.Random(seed)
    scanner = Scanner()
    position = 0
    while position < len(data):
        size = choice.choice((1, 1, 2, 3, 8, 50))
        scanner.feed(data[position : position + size])
        position += size
    assert scanner.finish() == scan(data)


@pytest.mark.parametrize("syntax", SYNTAXES)
@many
@given(tree=trees(()), cut=st.integers(1, 1000))
def test_a_file_cut_within_an_element_is_truncated(syntax: str, tree: Tree, cut: int) -> None:
    whole = as_file(tree, syntax)
    start = len(PREAMBLE) + len(file_meta(syntax))
    assume(start < len(whole))
    cut = len(whole) - 1 - cut % (len(whole) - start)
    borders = accumulate(map(len, written(tree, syntax)), initial=start)
    begun = whole[max(border for border in borders if border <= cut) : cut]
    if syntax == DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN or begun.strip(b"\0"):
        with pytest.raises(TruncatedInstance):
            scan(whole[:cut])
    else:
        scan(whole[:cut])


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    """A real file with some bytes changed, left out, doubled or replaced by what matters to a reader."""
    data = bytearray(SEEDS[draw(st.integers(0, len(SEEDS) - 1))])
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(len(PREAMBLE), min(len(data), 3000) - 1))
        match draw(st.integers(0, 3)):
            case 0:
                data[at] = draw(st.integers(0, 255))
            case 1:
                telling = draw(st.sampled_from(TELLING))
                data[at : at + len(telling)] = telling
            case 2:
                del data[at : at + draw(st.integers(1, 20))]
            case 3:
                data[at:at] = data[at : at + draw(st.integers(1, 200))]
    return bytes(data)


@settings(max_examples=500, deadline=None)
@given(data=damaged_files(), seed=st.integers(0, 1000))
def test_damaged_files_are_read_or_refused_in_bounded_time(data: bytes, seed: int) -> None:
    began = perf_counter()
    whole = outcome(data, iter(lambda: len(data), 0))
    assert perf_counter() - began < 1
    choice = random.Random(seed)
    assert outcome(data, iter(lambda: choice.choice((1, 2, 7, 50, 1000)), 0)) == whole


def outcome(data: bytes, sizes: Iterator[int]) -> Part10 | type[InvalidInstance]:
    scanner = Scanner()
    position = 0
    try:
        while position < len(data):
            size = next(sizes)
            scanner.feed(data[position : position + size])
            position += size
        instance = scanner.finish()
    except InvalidInstance as error:
        return type(error)
    orjson.dumps([instance.file_meta, instance.dataset])
    assert dict(decode_layout(encode_layout(instance)).bulk) == instance.bulk
    return instance
