from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.dicom.validation import cleaned, validate
from shared.dicom.vr_rules import MINIMUM_RULES, RULES
from tests.dicom.valid import VALID, edited
from tests.dicom.vr_values import BAD, GOOD


@pytest.mark.parametrize("vr", RULES)
def test_good_values_of_each_vr(vr: str) -> None:
    for values in ([value] for value in GOOD[vr]):
        assert not validate({**VALID, "00091001": {"vr": vr, "Value": values}}, 2).warnings, values
    assert not validate({**VALID, "00091001": {"vr": vr, "Value": [None, *GOOD[vr], None]}}, 2).warnings


@pytest.mark.parametrize(("vr", "value", "message"), BAD)
def test_bad_values_of_each_vr(vr: str, value: Any, message: str) -> None:
    for values in ([value], [*GOOD[vr], value], [None, value]):
        dataset = {**VALID, "00091001": {"vr": vr, "Value": values}}
        (warning,) = validate(dataset, 2).warnings
        assert warning.path == warning.tag == "00091001"
        assert warning.comment.startswith(
            f"DICOM100: (0009,1001) - Dicom element '(0009,1001)' failed validation for VR '{vr}'"
        )
        assert message in warning.comment
        assert cleaned(dataset, validate(dataset, 2)) == VALID


def test_the_tables_cover_every_vr_but_the_binary_ones_and_sequences() -> None:
    assert set(GOOD) == set(RULES) == set(MINIMUM_RULES) == {vr for vr, _, _ in BAD}
    assert not set(RULES) & {"OB", "OD", "OF", "OL", "OV", "OW", "UN", "SQ"}


def test_binary_values_are_not_looked_at() -> None:
    dataset = edited(t00420011={"vr": "OB", "InlineBinary": "!"}, t00091001={"vr": "UN", "Value": ["\0"]})
    assert not validate(dataset, 2).warnings


def test_empty_values_are_valid() -> None:
    dataset = edited(
        t00080020={"vr": "DA"}, t00080030={"vr": "TM", "Value": []}, t00080061={"vr": "CS", "Value": [None]}
    )
    for version in (1, 2):
        assert validate(dataset, version).errors == validate(dataset, version).warnings == ()


@settings(deadline=None)
@given(st.text("0123456789", min_size=8, max_size=8) | st.dates().map(lambda day: f"{day.year:04}{day:%m%d}"))
def test_dates_are_those_of_the_calendar(digits: str) -> None:
    try:
        date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
        exists = True
    except ValueError:
        exists = False
    assert RULES["DA"].accepts([digits]) is exists
