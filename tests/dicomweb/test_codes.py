import pytest

from shared.dicomweb.codes import FailureReason, WarningReason


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (FailureReason.PROCESSING_FAILURE, 272),
        (FailureReason.VALIDATION_FAILED, 43264),
        (FailureReason.STUDY_MISMATCH, 43265),
        (FailureReason.INSTANCE_EXISTS, 45070),
        (FailureReason.INSTANCE_BEING_STORED, 45071),
        (WarningReason.DATA_SET_HAS_VALIDATION_WARNINGS, 1),
        (WarningReason.DATA_SET_DOES_NOT_MATCH_SOP_CLASS, 45063),
    ],
)
def test_codes_are_those_that_clients_know(reason: FailureReason | WarningReason, code: int) -> None:
    assert reason.value == code
    assert type(reason)(code) is reason


@pytest.mark.parametrize("reason", [*FailureReason, *WarningReason])
def test_every_code_fits_us_and_says_what_it_means(reason: FailureReason | WarningReason) -> None:
    assert 0 < reason.value < 2**16
    assert reason.meaning.endswith(".")
