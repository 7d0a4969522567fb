import warnings
from pathlib import Path
from struct import pack

import pytest
from pydicom.filereader import _read_file_meta_info, read_preamble

from shared.dicom.file_meta import RECOGNISED, data_set_offset, lacks_preamble
from tests.dicom.building import PREAMBLE, explicit, file_meta, implicit, part10
from tests.dicom.real_files import PATHS

META = PREAMBLE + file_meta("1.2.840.10008.1.2.1")
DATA_SET = explicit(0x00080018, "UI", b"1.2.3\0") + explicit(0x00100020, "LO", b"one ")


def test_the_data_set_begins_behind_group_2() -> None:
    assert data_set_offset(META + DATA_SET) == len(META)


@pytest.mark.parametrize(
    "more",
    [
        explicit(0x00020001, "OB", b"\0\1"),
        explicit(0x00020102, "OB", bytes(70_000)),
        explicit(0x00020016, "AE", b""),
        explicit(0x00020102, "UN", b"abc"),
        explicit(0x00020026, "UR", b"http://example.org"),
    ],
    ids=["OB", "a long value", "no value", "UN", "UR"],
)
def test_elements_of_every_form_are_passed_over(more: bytes) -> None:
    assert data_set_offset(META + more + DATA_SET) == len(META + more)


def test_the_group_length_does_not_matter() -> None:
    wrong = PREAMBLE + explicit(0x00020000, "UL", pack("<I", 3)) + file_meta("1.2.840.10008.1.2.1")
    assert data_set_offset(wrong + DATA_SET) == len(wrong)


def test_too_few_bytes_to_tell() -> None:
    file = META + DATA_SET
    found = [data_set_offset(file[:length]) for length in range(len(META) + 12)]
    assert set(found) == {None}
    assert data_set_offset(file[: len(META) + 12]) == len(META)


def test_file_meta_without_vrs() -> None:
    wrong = PREAMBLE + implicit(0x00020010, b"1.2.840.10008.1.2.1\0") + implicit(0x00020102, bytes(70_000))
    assert data_set_offset(wrong + DATA_SET) == len(wrong)


REAL_FILES = [path for path in PATHS if path.read_bytes()[128:132] == b"DICM"]


@pytest.mark.parametrize("path", REAL_FILES, ids=lambda path: path.name)
def test_real_files_as_pydicom_reads_them(path: Path) -> None:
    with path.open("rb") as file:
        read_preamble(file, force=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _read_file_meta_info(file)
        expected = file.tell()
    assert data_set_offset(path.read_bytes()) == expected


def test_nothing_but_file_meta() -> None:
    assert data_set_offset(part10(b"")) is None


def test_file_meta_at_the_very_beginning_lacks_a_preamble() -> None:
    assert lacks_preamble(META[132 : 132 + RECOGNISED])
    assert not lacks_preamble(META[:RECOGNISED])
    assert not lacks_preamble(DATA_SET[:RECOGNISED])
    assert not lacks_preamble(b"\x02\0\0\0\x04\0")
