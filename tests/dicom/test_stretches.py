"""What is recognised by its bytes is what would have been read."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file

from shared.dicom import stretches
from shared.dicom.charsets import DEFAULT_CHARSET
from shared.dicom.model import Part10
from shared.dicom.scanner import Scanner, scan
from shared.dicom.stretches import LONGEST_STRETCH, MOST_FORMS, Form, Run
from shared.errors import InvalidInstance
from tests.dicom.building import explicit, item, part10, sequence
from tests.dicom.strategies import SYNTAXES, Tree, as_file, trees

PIXELS = explicit(0x7FE00010, "OW", bytes(8))
FILES = ("CT_small.dcm", "MR_small.dcm", "MR_small_RLE.dcm", "rtplan.dcm", "reportsi.dcm", "ExplVR_BigEnd.dcm")


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    stretches.forget()
    yield
    stretches.forget()


def fresh(data: bytes) -> Part10:
    """As it is read by one who never read another file."""
    stretches.forget()
    return scan(data)


def image(*values: bytes, first: int = 1) -> bytes:
    """A file of one stretch, an element for each value, and pixel data."""
    elements = [explicit(0x00091000 + first + number, "LO", value) for number, value in enumerate(values)]
    return part10(b"".join(elements) + PIXELS)


def known() -> list[list[int]]:
    """For each form of explicit VR the number of elements of its runs, 0 for gaps."""
    forms: dict[bytes, Form] = stretches._forms(True, True, DEFAULT_CHARSET)
    return [[len(piece.ends) if piece else 0 for piece in form] for form in forms.values()]


class TestForms:
    """Runs are what stayed the same, gaps what did not."""

    def test_a_first_data_set_is_one_run(self) -> None:
        scan(image(b"a ", b"b ", b"c ", b"d "))
        assert known() == [[4]]

    def test_what_differs_becomes_a_gap(self) -> None:
        values = [b"%d " % number for number in range(9)]
        scan(image(*values))
        values[4] = b"other"
        scan(image(*values))
        assert known() == [[4, 0, 4]]

    def test_few_elements_between_gaps_are_gaps_too(self) -> None:
        values = [b"%d " % number for number in range(9)]
        scan(image(*values))
        values[2] = values[5] = b"other "
        scan(image(*values))
        assert known() == [[0, 0, 0, 0, 0, 0, 3]]

    def test_the_last_of_many_gaps_is_found_at_once(self) -> None:
        values = [b"%d " % number for number in range(20)]
        scan(image(*values))
        for number in (3, 4, 11, 19):
            values[number] = b"other "
        scan(image(*values))
        assert known() == [[3, 0, 0, 6, 0, 7, 0]]

    def test_behind_another_tag_the_form_is_learnt_anew(self) -> None:
        same = image(b"a ", b"b ", b"c ")
        scan(same)
        others = [explicit(0x00091000 + number, "LO", b"x ") for number in (10, 11, 12, 13)]
        data = same[: -len(PIXELS)] + b"".join(others) + PIXELS
        assert scan(data) == fresh(data)
        scan(same)
        scan(data)
        assert known() == [[3, 4]]

    def test_a_shorter_data_set_is_not_taken_for_the_longer(self) -> None:
        scan(image(b"a ", b"b ", b"c ", b"d ", b"e "))
        short = image(b"a ", b"b ", b"c ")
        assert scan(short) == fresh(short)

    def test_out_of_order_elements_are_no_run(self) -> None:
        data = part10(b"".join(explicit(0x00091000 + n, "LO", b"x ") for n in (5, 4, 3, 2)) + PIXELS)
        scan(data)
        assert known() == []
        assert scan(data) == fresh(data)

    def test_a_tag_that_stands_twice_is_the_last_one(self) -> None:
        once = [explicit(0x00091000 + n, "LO", b"x ") for n in (1, 2, 3, 4)]
        scan(part10(b"".join(once) + PIXELS))
        again = part10(b"".join([*once, explicit(0x00091002, "LO", b"y ")]) + PIXELS)
        assert scan(again).dataset["00091002"]["Value"] == ["y"]
        assert scan(again) == fresh(again)

    def test_tags_that_stand_twice_are_no_run(self) -> None:
        for value in (b"y ", b"z "):
            values = [(1, b"a "), (2, b"b "), (2, b"c "), (3, b"d "), (4, value), (5, b"e "), (6, b"f "), (7, b"g ")]
            data = part10(b"".join(explicit(0x00091000 + number, "LO", text) for number, text in values) + PIXELS)
            read = scan(data)
            assert known() == []
            assert read == fresh(data)

    def test_a_stretch_that_is_long_is_not_remembered(self) -> None:
        scan(image(*[b"x" * 100] * (LONGEST_STRETCH // 100)))
        assert known() == []

    def test_a_form_does_not_grow_beyond_that(self) -> None:
        for number in range(1, 30):
            scan(image(*[b"x" * 500] * number))
        assert known() != []
        assert all(sum(form) * 508 <= LONGEST_STRETCH for form in known())

    def test_the_number_of_forms_is_bounded(self) -> None:
        for first in range(1, 3 * MOST_FORMS):
            scan(image(b"a ", b"b ", b"c ", first=first))
            assert len(known()) <= MOST_FORMS

    def test_a_character_set_has_forms_of_its_own(self) -> None:
        name = (
            explicit(0x00091001, "LO", b"\xe4 ") + explicit(0x00091002, "LO", b"a ") + explicit(0x00091003, "LO", b"b ")
        )
        for term, letter in ((b"ISO_IR 100", "ä"), (b"ISO_IR 144", "ф"), (b"ISO_IR 100", "ä")):
            data = part10(explicit(0x00080005, "CS", term) + name + PIXELS)
            assert scan(data).dataset["00091001"]["Value"] == [letter]


class TestRecognition:
    """An element that is recognised is the very one of the data set before."""

    def test_values_are_not_read_again(self) -> None:
        values = [b"long value " * 10] * 4
        first, second = scan(image(*values)).dataset, scan(image(*values, b"more")).dataset
        assert all(second[tag] is first[tag] for tag in first if tag != "7FE00010")

    @pytest.mark.parametrize("first_chunk", [300, 330, 512, 700])
    def test_a_form_survives_a_cut(self, first_chunk: int) -> None:
        values = [b"long value %d " % number * 10 for number in range(6)]
        data = image(*values)
        first = scan(data)
        before = known()
        for _ in range(2):
            scanner = Scanner()
            scanner.feed(data[:first_chunk])
            scanner.feed(data[first_chunk:])
            cut = scanner.finish()
            assert cut == first
            assert known() == before
        assert sum(cut.dataset[tag] is first.dataset[tag] for tag in first.dataset) >= 3

    def test_items_of_sequences_are_left_alone(self) -> None:
        inner = b"".join(explicit(0x00091000 + number, "LO", b"x ") for number in range(1, 5))
        scan(part10(sequence(0x00081140, item(inner)) + PIXELS))
        assert known() == []

    def test_a_run_tells_how_much_of_it_stands_there(self) -> None:
        scan(image(b"aa", b"bb", b"cc", b"dd"))
        (form,) = stretches._forms(True, True, DEFAULT_CHARSET).values()
        (run,) = form
        assert isinstance(run, Run)
        assert [run.agreed(run.raw[:size], 0) for size in (0, 9, 10, 19, 20, 40)] == [0, 0, 1, 1, 2, 4]
        assert run.agreed(b"--" + run.raw[:-1] + b"x", 2) == 3


@pytest.mark.parametrize("name", FILES)
def test_real_files_are_read_as_for_the_first_time(name: str) -> None:
    data = Path(str(get_testdata_file(name))).read_bytes()
    others = [Path(str(get_testdata_file(other))).read_bytes() for other in FILES]
    expected = fresh(data)
    for other in (*others, data, *others):
        scan(other)
    assert scan(data) == expected


@pytest.mark.parametrize("syntax", SYNTAXES)
@settings(max_examples=60, deadline=None)
@given(made=st.lists(trees(()), min_size=2, max_size=5), seed=st.integers(0, 1000))
def test_whatever_was_read_before_makes_no_difference(syntax: str, made: list[Tree], seed: int) -> None:
    """Data sets with elements taken out, changed and put in, in chunks."""
    choice = random.Random(seed)
    mixed = [tuple(choice.choice(made)[at] for at in range(choice.randint(0, min(map(len, made))))) for _ in range(4)]
    files = [as_file(tree, syntax) for tree in (*made, *mixed, *made)]
    expected = [fresh(data) for data in files]
    stretches.forget()
    assert [scan(data) for data in files] == expected
    for data, alone in zip(files, expected, strict=True):
        scanner = Scanner()
        for start in range(0, len(data), 200):
            scanner.feed(data[start : start + 200])
        assert scanner.finish() == alone


def outcome(data: bytes) -> Part10 | str:
    try:
        return scan(data)
    except InvalidInstance as error:
        return f"{type(error).__name__}: {error.detail}"


def damaged(data: bytes, choice: random.Random) -> bytes:
    """With bytes of its header changed, taken out, put in or said twice."""
    for _ in range(choice.randint(1, 3)):
        at, size = choice.randrange(132, 6000), choice.choice((1, 2, 8, 40))
        data = choice.choice(
            (
                data[:at] + choice.randbytes(size) + data[at + size :],
                data[:at] + data[at + size :],
                data[:at] + choice.randbytes(size) + data[at:],
                data[: at + size] + data[at:],
            )
        )
    return data


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "ExplVR_BigEnd.dcm"])
def test_damaged_files_are_read_as_for_the_first_time(name: str) -> None:
    data = Path(str(get_testdata_file(name))).read_bytes()
    files = [damaged(data, random.Random(number)) for number in range(300)]
    expected = []
    for file in files:
        stretches.forget()
        expected.append(outcome(file))
    stretches.forget()
    assert [outcome(file) for file in files] == expected
    assert [outcome(file) for file in reversed(files)] == expected[::-1]
