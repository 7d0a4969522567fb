"""The dictionary of the standard gives what pydicom's functions give."""

import subprocess
import sys

from pydicom import datadict
from pydicom._dicom_dict import RepeatersDictionary

from shared.dicom.standard import dictionary_vr, is_single_valued, keyword_for_tag, tag_for_keyword

REPEATING = [int(tag.replace("x", digit), 16) for tag in RepeatersDictionary for digit in "02A"]
UNKNOWN = [0x00090010, 0x60013000, 0x0048FF03, 0xFFFFFFFF]


def test_every_tag_has_the_vr_and_keyword_that_pydicom_knows() -> None:
    tags = [*datadict.DicomDictionary, *REPEATING]
    assert len(tags) > 5000
    assert [dictionary_vr(tag) for tag in tags] == [datadict.dictionary_VR(tag) for tag in tags]
    assert [keyword_for_tag(tag) for tag in (*tags, *UNKNOWN)] == [
        datadict.keyword_for_tag(tag) for tag in (*tags, *UNKNOWN)
    ]
    assert all(is_single_valued(tag) == (datadict.dictionary_VM(tag) == "1") for tag in datadict.DicomDictionary)


def test_every_keyword_has_the_tag_that_pydicom_knows() -> None:
    keywords = [datadict.keyword_for_tag(tag) for tag in datadict.DicomDictionary]
    assert [tag_for_keyword(keyword) for keyword in keywords] == list(map(datadict.tag_for_keyword, keywords))
    assert tag_for_keyword("OverlayData") is None
    assert tag_for_keyword("PatientNames") is None


def test_what_the_standard_does_not_have_has_no_vr() -> None:
    assert [tag for tag in UNKNOWN if _has_vr(tag)] == []
    assert all(map(is_single_valued, UNKNOWN))


def _has_vr(tag: int) -> bool:
    try:
        dictionary_vr(tag)
    except KeyError:
        return False
    return True


def test_a_cold_start_imports_neither_pydicom_nor_azure_storage() -> None:
    program = "import sys, function_app; print({'pydicom', 'numpy', 'azure.storage'} & sys.modules.keys())"
    settings = {"DICOM_ISSUERS": "https://login.example/", "DICOM_AUDIENCES": "api://dicom"}
    done = subprocess.run([sys.executable, "-c", program], env=settings, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
