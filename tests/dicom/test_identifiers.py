import pytest
from pydicom.uid import UID

from shared.dicom.identifiers import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    is_partition_name,
    is_uid,
    trim_uid,
)


@pytest.mark.parametrize("value", ["1", "1.2.840.10008.1.2", "1.02.3", "9" * 64, "1.2 ", "1.2\0", "1.2 \0 \0", ".1"])
def test_uids(value: str) -> None:
    assert is_uid(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "\0",
        "abc.123",
        "11|",
        "1.2.",
        "9" * 65,
        "1.2\n",
        "1\0.2",
        " 1.2",
        "1.2-3",
        "\uff11.2",
        "1.2/../3",
        None,
        12,
    ],
)
def test_not_uids(value: object) -> None:
    assert not is_uid(value)


def test_trim_uid_takes_off_padding_at_the_end_only() -> None:
    assert trim_uid("1.2.3\0") == "1.2.3"
    assert trim_uid("1.2.3  \0 ") == "1.2.3"
    assert trim_uid(" 1.2\0.3") == " 1.2\0.3"


@pytest.mark.parametrize("name", ["a", "Microsoft.Default", "clinic_1-B", "...", "a" * 64, "..a", "-"])
def test_partition_names(name: str) -> None:
    assert is_partition_name(name)


@pytest.mark.parametrize("name", ["", ".", "..", "a" * 65, "a/b", "a\\b", "a b", "å", "a\n", "..\n", "a%2e", None, 5])
def test_not_partition_names(name: object) -> None:
    assert not is_partition_name(name)


def test_what_names_the_product_fits_the_file_meta_information() -> None:
    assert UID(IMPLEMENTATION_CLASS_UID).is_valid
    assert IMPLEMENTATION_CLASS_UID.startswith("2.25.")
    assert 1 <= len(IMPLEMENTATION_VERSION_NAME) <= 16
