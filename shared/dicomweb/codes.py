"""Why an instance was refused, or stored with a warning: the codes of a store answer, each with its meaning.

They follow PS3.18 Annex I.2 and, where that leaves a range to the implementation, the codes that clients of
the Microsoft DICOM service know.
"""

from enum import IntEnum
from typing import Self


class _Reason(IntEnum):
    meaning: str

    def __new__(cls, code: int, meaning: str) -> Self:
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member


class FailureReason(_Reason):
    """Failure Reason (0008,1197): why an instance was not stored. ``meaning`` says it in words."""

    PROCESSING_FAILURE = 0x0110, "The instance could not be processed or stored."
    VALIDATION_FAILED = 0xA900, "A required attribute is missing or invalid, or the data can't be read as DICOM."
    STUDY_MISMATCH = 0xA901, "The instance belongs to another study than the one in the URL."
    INSTANCE_EXISTS = 0xB00E, "An instance with the same study, series and instance UID is already stored."
    INSTANCE_BEING_STORED = 0xB00F, "An instance with the same UIDs is being stored by another request."


class WarningReason(_Reason):
    """Warning Reason (0008,1196): what is wrong with an instance that was stored all the same."""

    DATA_SET_HAS_VALIDATION_WARNINGS = 0x0001, "Attributes with invalid values are left out of metadata and search."
    DATA_SET_DOES_NOT_MATCH_SOP_CLASS = 0xB007, "The data set does not match its SOP Class."
